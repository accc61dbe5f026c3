//! An async POP3 client.
//!
//! A [`Connection`] is made by [`Connection::connect`], which settles encryption before anything
//! else: with [`Encryption::Tls`] and [`Encryption::StartTls`] the certificate and the name are
//! always checked, and no credential exists on the wire before. Messages stream; memory stays
//! flat whatever their size. Every step with the server has a deadline.
//!
//! Nothing is deleted by accident: marks set by [`Connection::dele`] take effect only through the
//! consuming [`Connection::commit`]. Dropping a connection closes the socket without `QUIT`, and
//! the server must forget the marks then (RFC 1939 section 6).
//!
//! ```no_run
//! # use std::time::Duration;
//! use restante_client::{Connection, Encryption, Endpoint, Error, Secret};
//!
//! # async fn fetch() -> Result<(), Error> {
//! let endpoint = Endpoint {
//!     host: "pop.example.org".into(),
//!     port: 995,
//!     encryption: Encryption::Tls,
//!     ca_file: None,
//!     timeout: Duration::from_secs(60),
//!     octets_per_s_min: Endpoint::OCTETS_PER_S_MIN,
//! };
//! let mut connection = Connection::connect(&endpoint).await?;
//! connection.login("fred", &Secret::new(b"correct horse".to_vec())).await?;
//! for line in connection.list().await? {
//!     let mut message = Vec::new();
//!     connection.retr(line.number, &mut message).await?;
//!     // Store it durably, and only then:
//!     connection.dele(line.number).await?;
//! }
//! connection.commit().await
//! # }
//! ```

mod capabilities;
mod connection;
mod endpoint;
mod error;
mod login;
mod pace;
mod retrieval;
mod stream;
mod tls;
mod wire;

pub use capabilities::Capabilities;
pub use connection::{Connection, Stat};
pub use endpoint::{Encryption, Endpoint};
pub use error::{Error, Step};
pub use login::LoginError;
pub use restante_proto::pop3::client::{IdLine, ProtocolError, Refusal, ScanLine};
pub use restante_proto::pop3::{Capability, ResponseCode};
pub use restante_proto::{MessageNumber, Octets, Secret};
pub use retrieval::{Retrieval, Retrieved};
pub use stream::{Dial, Dialling, Stream, TcpDial};
pub use tls::TlsError;

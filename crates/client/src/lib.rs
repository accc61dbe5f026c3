//! A POP3 client: fetch mail, verify certificates, commit explicitly.
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
//! use restante_client::{Connection, Credentials, Encryption, Endpoint, Error, Secret};
//!
//! # async fn fetch() -> Result<(), Error> {
//! let endpoint = Endpoint::new("pop.example.org", Encryption::Tls);
//! let fred = Credentials::password("fred", Secret::new(b"correct horse".to_vec()));
//! let mut connection = Connection::connect(&endpoint).await?;
//! connection.login(&fred).await?;
//! for line in connection.list().await? {
//!     let mut message = Vec::new();
//!     connection.retr(line.number, &mut message).await?;
//!     // Store it durably, and only then:
//!     connection.dele(line.number).await?;
//! }
//! connection.commit().await
//! # }
//! ```
//!
//! | to | there is | RFC |
//! |---|---|---|
//! | say where the server is | [`Endpoint`]: port, [`Encryption`], more trust, [`Pin`]s, [`ClientCertificate`], [`Proxy`], timeout | 8314, 2595, 7817 |
//! | log in | [`Credentials`]: a password, an OAuth token or a certificate, and the least [`Method`] that will do; [`Connection::login`] takes the best | 1939, 5034, 5802, 7628, 9266 |
//! | know what the server can | [`Capabilities`], of [`Capability`] | 2449, 3206, 6856 |
//! | list | [`Connection::stat`], [`Connection::list`], [`Connection::uidl`] | 1939 |
//! | fetch | [`Connection::retr`], [`Connection::top`]; many, in chunks, pipelined, with progress: [`Connection::retrieve`]; not more than so much: [`Connection::limit_messages`] | 1939, 2449 |
//! | delete | [`Connection::dele`], [`Connection::dele_many`], [`Connection::rset`], [`Connection::commit`] | 1939 |
//! | know what went wrong | [`Error`]: [`Error::is_temporary`] says whether to try again, [`Error::advice`] what to do; [`LoginError`] tells a wrong password from a sick server | 2449, 3206 |
//! | do without async | [`blocking`] (feature `blocking`) | |
//! | bring a network of one's own | [`Dial`], [`Connection::over`] | |
//! | test what uses it | the crate `restante-testserver` | |
//!
//! The protocol itself, without a socket, is `restante_proto::pop3::Client`. The folder `examples`
//! has Gmail, Outlook.com, a plain host, and the blocking face.

#[cfg(feature = "blocking")]
pub mod blocking;
mod capabilities;
mod connection;
mod credentials;
mod endpoint;
mod error;
mod login;
mod method;
mod pace;
mod pin;
mod proxy;
mod retrieval;
mod stream;
mod tls;
mod wire;

pub use capabilities::Capabilities;
pub use connection::{Connection, Marked, Stat};
pub use credentials::Credentials;
pub use endpoint::{ClientCertificate, Encryption, Endpoint};
pub use error::{Error, Step};
pub use login::LoginError;
pub use method::Method;
pub use pin::{BadPin, Pin};
pub use proxy::{BadProxy, Proxy, ProxyError, ProxyKind};
pub use restante_proto::pop3::client::{BadArgument, IdLine, ProtocolError, Refusal, ScanLine};
pub use restante_proto::pop3::{Capability, ResponseCode};
pub use restante_proto::sasl::{Distrust, Mechanism, Unfit};
pub use restante_proto::{MessageNumber, Octets, Secret};
pub use retrieval::{Retrieval, Retrieved};
pub use stream::{Dial, Dialling, Stream, TcpDial};
pub use tls::TlsError;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

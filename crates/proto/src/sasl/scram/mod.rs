//! SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, the server proves
//! that it knows the user, and neither sends what the other could log in with elsewhere.
//!
//! The server's side: in, the client's two messages and the user's [`ScramKeys`]; out, the server's
//! two messages and whether the proof is right. The client's side is the mirror of it. Names are prepared with SASLprep (RFC 4013). With `-PLUS` the proof
//! holds for this TLS connection alone (RFC 9266).

mod client;
mod keys;
mod message;
mod server;

pub(super) use client::{Opening, Verdict};
pub use keys::{ScramHash, ScramKeys};
pub use server::KeysWanted;
pub(super) use server::{Final, First};

/// The one kind of channel binding that TLS 1.3 has (RFC 9266).
const TLS_EXPORTER: &str = "tls-exporter";

//! SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, the server proves
//! that it knows the user, and neither sends what the other could log in with elsewhere.
//!
//! In: the client's two messages and the user's [`ScramKeys`]. Out: the server's two messages and
//! whether the proof is right. Names are prepared with SASLprep (RFC 4013). With `-PLUS` the proof
//! holds for this TLS connection alone (RFC 9266).

mod keys;
mod message;
mod server;

pub use keys::{ScramHash, ScramKeys};
pub use server::KeysWanted;
pub(super) use server::{Final, First};

//! POP3 (RFC 1939): the server session and the client session.

mod capability;
pub mod client;
mod response;

pub use capability::Capability;
pub use response::ResponseCode;

//! POP3 (RFC 1939): the server session and the client session.

mod action;
mod capability;
pub mod client;
mod command;
mod language;
mod listing;
mod opened;
mod refusal;
mod response;
mod session;
mod text;

pub use action::{Action, Answer, Ask, Closing, Settings, Terms, TlsState, WithoutUtf8};
pub use capability::Capability;
pub use client::Client;
pub use language::Language;
pub use refusal::Refusal;
pub use response::ResponseCode;
pub use session::Session;
pub use text::Text;

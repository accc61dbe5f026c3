//! The POP family's wire protocol as pure functions of bytes.
//!
//! This crate never reads a clock, a file or a socket, and never sees the message bytes it
//! serves. A [`pop3::Session`] is the server's side of a connection, a [`pop3::Client`] the
//! client's: bytes and answers go in through `handle_*`, replies and questions come out through
//! `poll_*`, and time is an argument. The codecs they share stand on their own: [`mod@line`] splits
//! bounded lines, [`dot`] stuffs and unstuffs bodies, [`top`] cuts a message for `TOP`,
//! [`surrogate`] puts its headers into ASCII.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod dot;
pub mod line;
pub mod login;
pub mod marks;
pub mod message;
pub mod pop3;
pub mod sasl;
pub mod secret;
pub mod snapshot;
pub mod surrogate;
pub mod top;

pub use login::Login;
pub use marks::Marks;
pub use message::{Extent, Form, MessageNumber, Octets, UniqueId};
pub use secret::Secret;
pub use snapshot::{Snapshot, SnapshotBuilder};

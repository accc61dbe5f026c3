//! Which rules of POP3 a server keeps and which it breaks, as a client can see it from outside.
//!
//! In: a [`Target`] (where the server is, and a test account). Out: a [`Report`] with a
//! [`Finding`] for each [`Rule`]: kept, broken with the transcript that shows it, or not testable
//! and why. What can fail as a whole is connecting and the first login ([`CheckError`]).
//!
//! Each rule is a small function in a table ([`rules`]). They stand on a connection that sends
//! octets as they are and takes what comes; nothing here goes through the codecs the project's own
//! server and client are made of, so that a fault of theirs shows.
//!
//! Nothing in the maildrop is changed unless [`Target::may_delete`] says so: no `DELE` is sent,
//! and a session that has logged in ends without `QUIT`, because some servers delete what was
//! read then. The calls block; waits have a limit.

#[macro_use]
mod fault;

mod bench;
mod checker;
mod connection;
mod report;
mod rule;
mod rules;
mod target;
mod tls;
mod transcript;

pub use checker::{CheckError, Checker};
pub use report::{Finding, Report, Verdict};
pub use rule::{Level, Rule};
pub use rules::rules;
pub use target::{Encryption, Target, Trust};
pub use tls::TlsSetupError;

//! The collector: fetches mail from other servers' POP3 accounts, each message exactly once.
//!
//! An [`Account`] names a server, a policy and where mail goes; [`Accounts::parse`] reads them
//! from TOML. A [`Collector`] logs in, lists, compares with the account's ledger, streams what is
//! new into a [`restante_maildrop::Destination`], writes that down, and only then lets the server
//! delete. It prints nothing: what goes on reaches an [`Observer`], what came of it is a
//! [`Report`].
//!
//! The order that makes it exactly-once: the destination's `finish` (durable), then the ledger's
//! record (durable), then `DELE`, then the record "delete sent" (durable), then `QUIT`. A crash
//! between any two is healed by the next run: a message that was stored but not recorded is known
//! to the destination by its key, and one whose `QUIT` was not answered is deleted again without
//! being fetched again. On any error the socket is dropped without `QUIT`, so that the server
//! forgets what was marked.

mod account;
mod accounts;
mod collector;
mod entry;
mod error;
mod header;
pub mod import;
mod incoming;
mod key;
mod ledger;
mod listing;
mod pace;
mod password;
mod plan;
mod planned;
mod policy;
mod remembered;
mod renumbered;
mod report;
mod session;
mod status;

pub use account::{Account, Leave, SecretSource, SignIn};
pub use accounts::{Accounts, Defaults, Problem};
pub use collector::{Collector, Mode};
pub use error::CollectError;
pub use ledger::LedgerError;
pub use password::PasswordError;
pub use planned::{Action, Planned, PlannedMessage};
pub use remembered::remember;
pub use report::{Event, Observer, Report};
pub use status::{Counts, LastRun, SetAside, Status};

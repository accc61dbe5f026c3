//! Mail on a local disk, one Maildir an owner.
//!
//! [`MaildirStore`] is the [`Store`](restante_maildrop::Store) of the office and
//! [`MaildirDestination`] the [`Destination`](restante_maildrop::Destination) of a collector. Both
//! are thin: they move the blocking [`Spool`], [`Session`] and [`Incoming`] off the asynchronous
//! threads. Those reach the machine through a [`restante_host::Host`] alone.
//!
//! A Maildir is shared with programs that know nothing of this crate: they deliver, rename for
//! flags, move from `new/` to `cur/` and remove, at any moment. What this crate keeps beside the
//! mail is `restante-lock` (the session lock, an flock), `restante-index` (sizes learnt once; may
//! be lost at any time) and `restante-journal` (deletes under way).

mod destination;
mod fates;
mod incoming;
mod index;
mod intake;
mod layout;
mod listing;
mod lock;
mod maildir;
mod measure;
mod name;
mod record;
mod removal;
mod session;
mod spool;
mod store;
mod surrogates;
mod trash;

pub use destination::MaildirDestination;
pub use incoming::Incoming;
pub use layout::{Layout, LayoutError, NoPlace};
pub use session::Session;
pub use spool::Spool;
pub use store::MaildirStore;

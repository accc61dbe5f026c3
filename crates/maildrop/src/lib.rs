//! The domain of a post office: maildrops that are opened, read and committed, and mail that is
//! delivered into them.
//!
//! A [`Store`] keeps the maildrops of many [`Owner`]s. A [`Maildrop`] is one of them opened for a
//! session: a fixed [`Snapshot`], bodies by number, and one commit. A [`Delivery`] is a message on
//! its way in. Two rules hold for every store and are checked by [`conformance`]:
//! nothing but [`Delivery::finish`] claims that mail is durable, and nothing but
//! [`Maildrop::commit`] removes mail, and only what was marked. Dropping either changes nothing.

pub mod conformance;
pub mod memory;

mod account;
mod authenticator;
mod body;
mod destination;
mod owner;
mod store;

use std::pin::Pin;

pub use account::{Account, OwnTerms, Terms};
pub use authenticator::{Admitted, AuthError, Authenticator};
pub use body::{Body, BodyError, Source};
pub use destination::{Arrival, Destination, Fate, MessageKey};
pub use owner::{BadOwner, Owner};
pub use restante_proto::{Login, Marks, MessageNumber, Octets, Snapshot, UniqueId};
pub use store::{
    Access, CommitError, DeliverError, Delivery, Maildrop, OpenError, ReadError, Receipt, Store,
};

/// A boxed future: one small allocation per maildrop operation keeps stores out of type
/// parameters.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

//! The office's front: listeners, TLS, timers, and the loop that joins a POP3 session, the user
//! database and the store.
//!
//! ```text
//! socket -> Wire -> Session -> Ask -> Office (Authenticator, Store) -> Answer -> Session -> Wire -> socket
//! ```
//! [`Ports::open`] takes the ports, [`Server::run`] serves until it is told to stop. Sessions end
//! without UPDATE then: nothing is removed that was not committed.

pub mod tls;

mod certificates;
mod clients;
mod connection;
mod defence;
mod guests;
mod last_logins;
mod listener;
mod office;
mod pace;
mod policy;
mod ports;
mod proxy;
mod refusal;
mod report;
mod sessions;
mod wire;

pub use defence::{Defence, DefenceLimits};
pub use ipnet::IpNet;
pub use listener::{Encryption, Listen, Server};
pub use office::{Limits, Office};
pub use policy::Policy;
pub use ports::{BindError, Ports};

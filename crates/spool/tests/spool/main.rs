//! The Maildir store through its public door, on a real file system.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, of which clippy knows only the functions marked so"
)]

mod age;
mod conformance;
mod delivery;
mod destination;
mod faults;
mod faulty;
mod folder;
mod foreign;
mod index;
mod lock;
mod office;
mod shared;
mod surrogates;
mod together;
mod trash;

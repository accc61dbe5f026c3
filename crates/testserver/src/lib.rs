//! A POP3 server for the tests of what talks to one.
//!
//! Two kinds of server, over a pipe in memory or on a free port of the loopback:
//!
//! - A [`Server`] keeps mail and serves it. Its [`Quirks`] say what is wrong with it: it can be cut
//!   off at any octet, go silent, refuse a message, send a line without an end, forget what it was
//!   told to delete. What it was asked is written down.
//! - [`follow`] plays a script of [`Act`]s, line by line, with TLS in between where the script has
//!   it, by a certificate of an [`Authority`] made for the test.
//!
//! ```
//! use std::io::{BufRead as _, BufReader};
//! use std::net::TcpStream;
//!
//! use restante_testserver::{Quirks, Server};
//!
//! let server = Server::new(&[("id-1", "Subject: one\r\n\r\nHello.\r\n")]);
//! server.quirks(Quirks { cut: Some(4), ..Quirks::default() });
//! let listening = server.listen();
//! let mut greeting = String::new();
//! let stream = TcpStream::connect(listening.address()).unwrap();
//! BufReader::new(stream).read_line(&mut greeting).unwrap();
//! assert_eq!(greeting, "+OK ");
//! ```
//!
//! Everything here panics where a test should fail.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

mod authority;
mod quirks;
mod script;
mod server;

pub use authority::Authority;
pub use quirks::Quirks;
pub use script::{Act, Cleartext, Stream, follow, serve};
pub use server::{Listening, Server};

/// The README's example holds.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

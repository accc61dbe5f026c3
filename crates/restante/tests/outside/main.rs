//! What must hold of the built binary, seen from outside: no mail is lost to a kill, memory stays
//! flat, bad input hurts nobody else, and what cannot work says so in a line. Tests that need
//! strace begin with `strace_`, tests that need python3 with `measured_`, so that ./test.sh can
//! leave them out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod attacks;
mod bad_input;
mod certificates;
mod changed_message;
mod confined;
mod failed_deliver;
mod failed_login;
mod killed_collect;
mod killed_server;
mod large_message;
mod own_terms;
mod policies;
mod refusals;
mod secrets;
mod session_log;
mod stopped_server;
#[path = "../support/mod.rs"]
mod support;
mod taken_over;

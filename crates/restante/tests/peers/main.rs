//! Real mail through real programs: each peer fetches the corpus from `restante serve` over TLS,
//! or serves it to `restante collect`, and what arrives is compared with what was there, message
//! by message. A test's name begins with `peer_` and the peer, so that it can be left out where
//! the peer is not installed; ./test.sh does that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod acme;
mod client;
mod curl;
mod databases;
mod dovecot;
mod external;
mod fetchmail;
mod getmail;
mod imports;
mod international;
mod logins;
mod mpop;
mod oauth;
mod oidc;
mod poplib;
mod scanners;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod whole_way;

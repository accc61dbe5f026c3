//! The programs that collect mail, each against the same server that fails in the same ways. For
//! `restante` it is asserted that every message is stored once, that none is lost, and that what
//! it says is true; what the others do is written into docs/collector.md by
//! `contrib/collectors/run`, and this test compares the column of `restante` there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod fault;
mod page;
#[path = "../support/mod.rs"]
mod support;
mod tool;
mod trial;

use fault::Fault;
use tool::Tool;
use trial::Trial;

#[test]
fn every_message_is_collected_once_whatever_the_server_does() {
    if std::env::var_os("RESTANTE_COLLECTORS").is_some() {
        page::rewrite(&Fault::ALL.map(collected_once));
        return;
    }
    for fault in Fault::ALL.into_iter().filter(|&fault| fault != Fault::FullDisk) {
        page::assert_says(fault, &collected_once(fault));
    }
}

/// By itself because it needs a file system that is small.
#[test]
fn mounted_every_message_is_collected_once_whatever_the_disk_does() {
    page::assert_says(Fault::FullDisk, &collected_once(Fault::FullDisk));
}

/// What the document has to say.
fn collected_once(fault: Fault) -> String {
    let trial = Trial::run(Tool::Restante, fault);
    trial.assert_perfect();
    trial.cell()
}

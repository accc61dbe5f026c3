//! The Maildir store keeps the rules of every store.

use restante_host::Host;
use restante_maildrop::conformance;
use restante_spool::MaildirStore;

use crate::office::{Office, block_on};

#[test]
fn the_maildir_store_conforms() {
    let office = Office::new();
    let store = MaildirStore::new(Host::real(), office.layout());
    block_on(conformance::check(&store));
}

/// A new process each time, and without the index, the rules hold as well.
#[test]
fn the_maildir_store_conforms_in_every_layout() {
    let office = Office::new();
    let template = "{data}/{local}.d";
    let layout = restante_spool::Layout::parse(template, office.folder.path()).unwrap();
    let store = MaildirStore::new(Host::real(), layout);
    block_on(conformance::check(&store));
}

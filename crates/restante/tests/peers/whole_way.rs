//! The whole way on the whole corpus with nothing but the binary: `restante deliver` takes every
//! message in, `restante serve` serves them, `restante collect` fetches them over TLS.

use std::fs;

use crate::support::office::{Account, Office};
use crate::support::{corpus, maildir};

#[test]
fn corpus_goes_the_whole_way() {
    let messages = corpus::messages(corpus::WHOLE);
    let office = Office::new(&["alice"]);
    let file = office.folder().join("message");
    for message in &messages {
        fs::write(&file, message).unwrap();
        office.deliver("alice", fs::File::open(&file).unwrap()).success("deliver");
    }
    let sent = maildir::prints(&messages);
    maildir::assert_same_heap(&maildir::stored(&office.maildir("alice")), &sent, "deliver");

    let serving = office.serve();
    let inbox = office.folder().join("inbox");
    let account = Account {
        address: serving.pop3s,
        encryption: "tls",
        user: "alice",
        leave: "never",
        certificate: &serving.certificate,
        maildir: &inbox,
    };
    account.collect(office.folder()).success("collect");
    maildir::assert_same_heap(&maildir::stored(&inbox), &sent, "what was collected");
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0, "the server is empty");
}

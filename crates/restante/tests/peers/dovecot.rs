//! Dovecot as the server that `restante collect` empties or leaves alone.

use crate::support::corpus;
use crate::support::dovecot::Dovecot;
use crate::support::maildir::{self, Print};
use crate::support::office::Account;

#[test]
fn peer_dovecot_is_emptied_over_implicit_tls() {
    let messages = corpus::messages(corpus::WHOLE);
    let dovecot = Dovecot::start(&messages);
    let inbox = dovecot.folder().join("inbox");
    let certificate = dovecot.certificate();
    let account = Account {
        address: dovecot.pop3s,
        encryption: "tls",
        user: "alice",
        leave: "never",
        certificate: &certificate,
        maildir: &inbox,
    };
    collect_twice(&account, &dovecot, &maildir::prints(&messages));
    assert_eq!(maildir::files(&dovecot.maildir()).len(), 0, "the server is empty");
}

#[test]
fn peer_dovecot_is_left_alone_over_stls() {
    let messages = corpus::messages(300);
    let dovecot = Dovecot::start(&messages);
    let inbox = dovecot.folder().join("inbox");
    let certificate = dovecot.certificate();
    let account = Account {
        address: dovecot.pop3,
        encryption: "starttls",
        user: "alice",
        leave: "always",
        certificate: &certificate,
        maildir: &inbox,
    };
    let sent = maildir::prints(&messages);
    collect_twice(&account, &dovecot, &sent);
    maildir::assert_same_heap(&maildir::stored(&dovecot.maildir()), &sent, "what the server has");

    // The same account with another policy: what is here already is deleted there, not fetched.
    let account = Account { leave: "never", ..account };
    collect_twice(&account, &dovecot, &sent);
    assert_eq!(maildir::files(&dovecot.maildir()).len(), 0, "the server is empty");
}

/// Collects; then once more, which must add nothing.
fn collect_twice(account: &Account<'_>, dovecot: &Dovecot, sent: &[Print]) {
    for run in ["the first run", "a second run"] {
        account.collect(dovecot.folder()).success("collect");
        maildir::assert_same_heap(&maildir::stored(account.maildir), sent, run);
    }
}

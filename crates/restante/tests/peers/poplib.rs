//! Python's poplib (peers/poplib_session.py): every command it knows, over both kinds of TLS.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::office::{Office, PASSWORD};
use crate::support::{corpus, maildir, process};

#[test]
fn peer_poplib_fetches_the_corpus_over_implicit_tls() {
    fetch_and_delete("tls", &corpus::messages(corpus::WHOLE));
}

#[test]
fn peer_poplib_fetches_over_stls() {
    fetch_and_delete("stls", &corpus::messages(300));
}

fn fetch_and_delete(encryption: &str, messages: &[Vec<u8>]) {
    process::need("python3");
    let office = Office::with_mail(messages);
    let serving = office.serve();
    let port = if encryption == "tls" { serving.pop3s.port() } else { serving.pop3.port() };
    let out = office.folder().join("out");
    fs::create_dir(&out).unwrap();
    let deletions = messages.len() / 3;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/poplib_session.py");
    let mut command = Command::new("python3");
    command.arg(script).args([encryption, &port.to_string()]).arg(&serving.certificate);
    command.args(["alice", PASSWORD]).arg(&out).arg(deletions.to_string());
    process::run("poplib", office.folder(), &mut command).success("poplib");

    for (index, message) in messages.iter().enumerate() {
        let got = fs::read(out.join((index + 1).to_string())).unwrap();
        assert!(got == maildir::canonical(message), "message {} differs", index + 1);
    }
    let listing = fs::read_to_string(out.join("list")).unwrap();
    for (line, message) in listing.lines().zip(messages) {
        let size = line.split_once(' ').unwrap().1;
        assert_eq!(size, maildir::canonical(message).len().to_string(), "LIST: {line}");
    }
    for number in 1..=messages.len().min(20) {
        let top = fs::read(out.join(format!("TOP.{number}"))).unwrap();
        assert!(maildir::canonical(&messages[number - 1]).starts_with(&top), "TOP {number} 1");
    }
    let left = maildir::prints(&messages[..messages.len() - deletions]);
    maildir::assert_same_heap(&maildir::stored(&office.maildir("alice")), &left, "what is left");
}

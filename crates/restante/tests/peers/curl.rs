//! curl: one transfer per message on one connection; keeps CRLF, so the comparison is exact.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::process::Ended;
use crate::support::{corpus, maildir, process};

#[test]
fn peer_curl_fetches_the_corpus_over_implicit_tls() {
    let messages = corpus::messages(corpus::WHOLE);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let urls = format!("pop3s://localhost:{}/[1-{}]", serving.pop3s.port(), messages.len());
    let out = office.folder().join("out");
    fs::create_dir(&out).unwrap();
    curl(&office, &serving, &[&urls, "--output", &format!("{}/#1", out.display())]);
    for (index, message) in messages.iter().enumerate() {
        let got = fs::read(out.join((index + 1).to_string())).unwrap();
        assert!(got == maildir::canonical(message), "message {} differs", index + 1);
    }
}

#[test]
fn peer_curl_lists_and_reads_over_stls() {
    let messages = corpus::messages(40);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let base = format!("pop3://localhost:{}/", serving.pop3.port());
    let ask = |tail: &str, options: &[&str]| {
        let url = format!("{base}{tail}");
        let mut arguments = vec!["--ssl-reqd", url.as_str()];
        arguments.extend(options);
        curl(&office, &serving, &arguments).stdout
    };

    let sizes: String = messages
        .iter()
        .enumerate()
        .map(|(index, message)| format!("{} {}\r\n", index + 1, maildir::canonical(message).len()))
        .collect();
    assert_eq!(String::from_utf8(ask("", &[])).unwrap(), sizes);

    let ids = String::from_utf8(ask("", &["--request", "UIDL"])).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (index, line) in ids.lines().enumerate() {
        let (number, id) = line.split_once(' ').unwrap();
        assert_eq!(number, (index + 1).to_string());
        assert!((1..=70).contains(&id.len()) && seen.insert(id.to_owned()), "{line}");
    }
    assert_eq!(seen.len(), messages.len());

    for (index, message) in messages.iter().enumerate() {
        let number = (index + 1).to_string();
        let whole = maildir::canonical(message);
        assert!(ask(&number, &[]) == whole, "RETR {number}");
        let top = ask("", &["--request", &format!("TOP {number} 2")]);
        assert!(top == first_lines(&whole, 2), "TOP {number} 2");
    }
}

#[test]
fn peer_curl_deletes_a_message() {
    let messages = corpus::messages(3);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let url = format!("pop3s://localhost:{}/2", serving.pop3s.port());
    curl(&office, &serving, &[&url, "--request", "DELE", "--list-only"]);
    let left = maildir::prints([&messages[0], &messages[2]]);
    maildir::assert_same_heap(&maildir::stored(&office.maildir("alice")), &left, "what is left");
}

#[test]
fn peer_curl_is_told_of_a_wrong_password() {
    let office = Office::with_mail(corpus::messages(1));
    let serving = office.serve();
    let url = format!("pop3s://localhost:{}/1", serving.pop3s.port());
    let mut wrong = command(&serving.certificate);
    let ended = process::run("curl", office.folder(), wrong.args(["--user", "alice:x", &url]));
    // 67: login denied.
    assert_eq!(ended.status.code(), Some(67), "{}", ended.stderr);
}

fn curl(office: &Office, serving: &Serving, arguments: &[&str]) -> Ended {
    process::need("curl");
    let mut command = command(&serving.certificate);
    command.args(["--user", &format!("alice:{PASSWORD}")]).args(arguments);
    process::run("curl", office.folder(), &mut command).success("curl")
}

fn command(certificate: &Path) -> Command {
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--cacert"]).arg(certificate);
    command
}

/// The header, the empty line and the first lines of the body.
fn first_lines(message: &[u8], body_lines: usize) -> Vec<u8> {
    let mut lines = message.split_inclusive(|&octet| octet == b'\n');
    let mut top: Vec<u8> = Vec::new();
    for line in lines.by_ref() {
        top.extend_from_slice(line);
        if line == b"\r\n" {
            break;
        }
    }
    top.extend(lines.take(body_lines).flatten());
    top
}

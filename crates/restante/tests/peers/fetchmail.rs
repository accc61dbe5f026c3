//! fetchmail, with a mail delivery agent that appends everything to one file. It is told to add
//! and change nothing that it can be told about (no Received line, no rewritten addresses).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::office::{Office, PASSWORD};
use crate::support::{corpus, maildir, process};

#[test]
fn peer_fetchmail_fetches_and_deletes_over_implicit_tls() {
    fetch("ssl", 400);
}

#[test]
fn peer_fetchmail_fetches_and_deletes_over_stls() {
    fetch("sslproto 'TLS1.2+'", 100);
}

/// fetchmail breaks longer lines into several. One message of the corpus has some.
const LINE_OCTETS_MAX: usize = 8000;

/// Between two messages in the file; no mail has it.
const SEAM: &str = "\n--3a7c19e4 next message 5b0d8f26--\n";

fn fetch(encryption: &str, at_most: usize) {
    process::need("fetchmail");
    let mut messages = corpus::messages(at_most);
    messages.retain(|message| longest_line(message) < LINE_OCTETS_MAX);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let port = if encryption == "ssl" { serving.pop3s.port() } else { serving.pop3.port() };
    let folder = office.folder();
    let agent = folder.join("agent");
    let heap = folder.join("heap");
    fs::write(
        &agent,
        format!(
            "#!/bin/sh\nset -e\n{{ cat; printf '{}'; }} >>'{}'\n",
            SEAM.replace('\n', "\\n"),
            heap.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
    let config = folder.join("fetchmailrc");
    fs::write(
        &config,
        format!(
            "set no syslog\nset invisible\nset no bouncemail\n\
             poll localhost protocol pop3 port {port}\n\
             user 'alice' password '{PASSWORD}' {encryption} sslcertck sslcertfile '{}'\n\
             fetchall no keep no rewrite no mimedecode no stripcr pass8bits mda '{}'\n",
            serving.certificate.display(),
            agent.display()
        ),
    )
    .unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();

    let mut command = Command::new("fetchmail");
    command.env("HOME", folder).env("FETCHMAILHOME", folder).env("LC_ALL", "C");
    command.args(["--nodetach", "--fetchmailrc"]).arg(&config);
    command.arg("--pidfile").arg(folder.join("fetchmail.pid"));
    process::run("fetchmail", folder, &mut command).success("fetchmail");

    let heap = fs::read(heap).unwrap();
    let got: Vec<&[u8]> = split(&heap, SEAM.as_bytes());
    maildir::assert_same_order(
        &maildir::prints(got),
        &maildir::prints(&messages),
        "what fetchmail passed on",
    );
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0, "the server is empty");
}

fn longest_line(message: &[u8]) -> usize {
    message.split(|&octet| octet == b'\n').map(<[u8]>::len).max().unwrap_or_default()
}

fn split<'a>(mut heap: &'a [u8], seam: &[u8]) -> Vec<&'a [u8]> {
    let mut messages = Vec::new();
    while let Some(end) = heap.windows(seam.len()).position(|window| window == seam) {
        messages.push(&heap[..end]);
        heap = &heap[end + seam.len()..];
    }
    assert!(heap.is_empty(), "the last message is cut off");
    messages
}

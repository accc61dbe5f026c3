//! Messages that have broken programs before: without a header, without anything, with headers
//! longer than any buffer, in no character set, made of line ends, dots and NUL.

use std::io::Write as _;

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Account, Office, PASSWORD};

fn odd() -> Vec<Vec<u8>> {
    let header = |name: &str, octets: usize| {
        [format!("{name}: ").as_bytes(), &vec![b'h'; octets], b"\n\nbody\n"].concat()
    };
    let mut odd: Vec<Vec<u8>> = [
        &b""[..],
        b"\n",
        b"\n\n",
        b"\r\n\r\n",
        b"x",
        b".",
        b".\n",
        b"..\n",
        b"\n.\n",
        b"\r",
        b"\r\r\n",
        b"no header at all\n",
        b"\nonly a body\n",
        b": no name\n\nx\n",
        b"From alice\n\nx\n",
        b"Subject: \xff\xfe\x80\n\n\xc3\x28\n",
        b"Subject: a\n b\n\tc\n d",
        b"A:\0\n\n\0\0.\0\n",
        b"Message-ID: <a\r\nb>\n\nx\n",
        b"Subject: =?x?q?=00=0a=1b[2J?=\n\nx\n",
        b"\n.\r\n.\r\n..\r.\n",
        b"Content-Length: 99999999999999999999\n\nx\n",
        b"Content-Length: -1\n\nx\n",
        b"\x1b[2J: x\n\n\x1b]0;x\x07\n",
        b".\r\n.\r\n+OK\r\n-ERR\r\n.\r\nQUIT\r\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    odd.extend((2045..2052).map(|octets| header("Subject", octets)));
    odd.extend(
        [997, 998, 8191, 8192, 8193, 65535, 65536, 300_000].map(|octets| header("X", octets)),
    );
    odd.push([&b"To: "[..], &b"<a@example.org>,\n ".repeat(20_000), b"\n\nx\n"].concat());
    odd.push([&b"X: "[..], &b"(".repeat(100_000), b"\n\nx\n"].concat());
    odd
}

/// Goal: each goes the whole way (deliver, RETR and TOP, collect) octet by octet, with a size that
/// is exact, and nothing on the way says more than a line about it.
#[test]
fn r14_r17_r18_r28_odd_messages_go_the_whole_way() {
    let office = Office::new(&["alice"]);
    let messages = odd();
    for message in &messages {
        let mut input = tempfile::tempfile_in(office.folder()).unwrap();
        input.write_all(message).unwrap();
        std::io::Seek::rewind(&mut input).unwrap();
        let ended = office.deliver("alice", input).success("deliver");
        assert!(ended.stderr.lines().count() <= 1, "{}", ended.stderr);
    }
    let mut serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    let mut prints = Vec::new();
    for (number, message) in (1..).zip(&messages) {
        let listed = line.ok(&format!("LIST {number}"));
        let body = line.body(&format!("RETR {number}"));
        assert_eq!(listed, format!("+OK {number} {}", body.len()), "{}", message.escape_ascii());
        // A first line of an mbox is no part of the message.
        let from = message.starts_with(b"From ").then(|| message.iter().position(|o| *o == b'\n'));
        let sent = from.flatten().map_or(&message[..], |end| &message[end + 1..]);
        assert_eq!(body, maildir::canonical(sent), "{}", message.escape_ascii());
        let top = line.body(&format!("TOP {number} 0"));
        assert!(body.starts_with(&top));
        prints.push(maildir::print(sent));
    }
    line.ok("QUIT");
    let collected = tempfile::tempdir().unwrap();
    let inbox = collected.path().join("Maildir");
    let account = Account {
        address: serving.pop3s,
        encryption: "tls",
        user: "alice",
        leave: "never",
        certificate: &serving.certificate,
        maildir: &inbox,
    };
    account.collect(collected.path()).success("collect");
    maildir::assert_same_heap(&maildir::stored(&inbox), &prints, "collect");
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0);
    serving.process.terminate();
    let log = serving.process.complaints();
    assert!(log.lines().all(|line| line.len() < 600), "no header is in the log");
}

//! Settings of `[policy]` that change what a session leaves on the disk.

use std::fs;

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD, Serving};

fn serve(office: &Office, settings: &str) -> Serving {
    let config = office.folder().join("serve.toml");
    fs::write(&config, settings).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(&config);
    office.serve_under(command)
}

/// Goal: two servers on one data folder, whose sessions share the maildrop, lose nothing.
#[test]
fn s14_two_servers_share_a_maildrop_where_that_is_set() {
    let office = Office::with_mail(["one\n", "two\n", "three\n"]);
    let shared = "[policy]\nshared_sessions = true\n";
    let (one, two) = (serve(&office, shared), serve(&office, shared));
    let mut first = Line::login(one.pop3, "alice", PASSWORD);
    let mut second = Line::login(two.pop3, "alice", PASSWORD);
    let mut third = Line::login(one.pop3, "alice", PASSWORD);
    first.ok("DELE 1");
    assert_eq!(first.ok("QUIT"), "+OK Goodbye, 1 messages deleted");
    for line in [&mut second, &mut third] {
        assert_eq!(line.ok("STAT"), "+OK 3 17");
        assert!(line.refused("RETR 1").starts_with("-ERR [SYS/TEMP] "));
        assert_eq!(line.body("RETR 2"), b"two\r\n");
    }
    second.ok("DELE 2");
    second.ok("QUIT");
    third.ok("QUIT");
    assert_eq!(maildir::stored(&office.maildir("alice")).len(), 1);
}

#[test]
fn deleted_messages_go_to_the_trash_where_one_is_set() {
    let office = Office::with_mail(["one\n", "two\n"]);
    let settings = "[policy]\ntrash = \"Trash\"\n[login]\nfolder_separator = \"+\"\n";
    let serving = serve(&office, settings);
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    let id = line.ok("UIDL 1");
    line.ok("DELE 1");
    line.ok("QUIT");
    assert_eq!(maildir::stored(&office.maildir("alice")).len(), 1);
    let mut line = Line::login(serving.pop3, "alice+Trash", PASSWORD);
    assert_eq!(line.ok("UIDL 1"), id, "it keeps its unique-id");
    assert_eq!(line.body("RETR 1"), b"one\r\n");
    line.ok("DELE 1");
    line.ok("QUIT");
    assert!(maildir::stored(&office.maildir("alice").join(".Trash")).is_empty());
}

/// Goal: a message that is all header comes with a blank line and is as long as was listed, by
/// RETR and by TOP; every other message is what it was.
#[test]
fn s24_s28_a_header_without_a_blank_line_gets_one_where_that_is_set() {
    let messages = ["A: b\n", "A: b\nC: d", "", "A: b\n\n.body", "A: b\n\n"];
    let sent =
        ["A: b\r\n\r\n", "A: b\r\nC: d\r\n\r\n", "\r\n", "A: b\r\n\r\n.body\r\n", "A: b\r\n\r\n"];
    let office = Office::with_mail(messages);
    office.deliver("alice", stdin_of(&office, "E: f\n")).success("deliver");
    let serving = serve(&office, "[policy]\nblank_line = true\n");
    for _ in 0..2 {
        let mut line = Line::login(serving.pop3, "alice", PASSWORD);
        let mut total = 0;
        for (number, sent) in (1..).zip(sent.into_iter().chain(["E: f\r\n\r\n"])) {
            let octets = sent.len();
            assert_eq!(line.ok(&format!("LIST {number}")), format!("+OK {number} {octets}"));
            assert_eq!(line.body(&format!("RETR {number}")), sent.as_bytes());
            let header = sent.split_inclusive("\r\n\r\n").next().unwrap();
            assert_eq!(line.body(&format!("TOP {number} 0")), header.as_bytes());
            assert_eq!(line.body(&format!("TOP {number} 9")), sent.as_bytes());
            total += octets;
        }
        assert_eq!(line.ok("STAT"), format!("+OK 6 {total}"));
        line.ok("QUIT");
    }
    // Unset, nothing is added.
    drop(serving);
    let serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    assert_eq!(line.ok("LIST 1"), "+OK 1 6");
    assert_eq!(line.body("RETR 1"), b"A: b\r\n");
}

fn stdin_of(office: &Office, message: &str) -> fs::File {
    let file = office.folder().join("message");
    fs::write(&file, message).unwrap();
    fs::File::open(file).unwrap()
}

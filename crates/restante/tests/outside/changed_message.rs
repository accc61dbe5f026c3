//! A message file that another program changes in place, which Maildir forbids.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD};

/// Goal: a message that is cut or goes on while it is sent never looks whole to the client.
/// Method: more than all buffers on the way hold, changed when the first line has come.
#[test]
fn s24_a_message_that_changes_while_it_is_sent_has_no_end() {
    for grows in [false, true] {
        let office = Office::with_mail(["0123456789abcde\n".repeat(2 << 20)]);
        let [file] = maildir::files(&office.maildir("alice")).try_into().unwrap();
        let mut serving = office.serve();
        let mut line = Line::login(serving.pop3, "alice", PASSWORD);
        assert_eq!(line.ok("RETR 1"), "+OK 35651584 octets");
        let mut file = OpenOptions::new().append(true).open(file).unwrap();
        if grows {
            file.write_all(b"not a part of it\n").unwrap();
        } else {
            file.set_len(31 << 20).unwrap();
        }
        let rest = line.rest();
        assert!(rest.len() > 1 << 20, "only {} octets came", rest.len());
        assert!(!rest.ends_with(b"\r\n.\r\n"), "it seems to be whole, grows: {grows}");
        serving.process.terminate();
        let log = serving.process.complaints();
        assert!(log.contains(" messages=0 "), "{log}");
        assert!(
            log.contains("cannot read the message: its size changed while it was read"),
            "{log}"
        );
    }
}

/// Goal: one that changed before is refused, and right again for the next session.
#[test]
fn s24_a_message_that_changed_before_is_refused_and_listed_anew() {
    let office = Office::with_mail(["Subject: 1\n\nto be cut\n", "Subject: 2\n\nwhole\n"]);
    let [first, _] = maildir::files(&office.maildir("alice")).try_into().unwrap();
    let serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    OpenOptions::new().append(true).open(first).unwrap().set_len(15).unwrap();
    let refused = line.refused("RETR 1");
    assert!(refused.starts_with("-ERR [SYS/TEMP] Another program changed"), "{refused}");
    assert_eq!(line.body("RETR 2"), b"Subject: 2\r\n\r\nwhole\r\n");
    line.ok("QUIT");
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    assert_eq!(line.ok("LIST 1"), "+OK 1 19");
    assert_eq!(line.body("RETR 1"), b"Subject: 1\r\n\r\nto \r\n");
}

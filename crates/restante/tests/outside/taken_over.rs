//! Who gets a maildrop when its holder is silent, stopped or in another process.

use std::fs;

use crate::support::line::Line;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD, Serving};

/// Tries to log in until the maildrop is free.
fn insist(serving: &Serving) -> Line {
    loop {
        let mut line = Line::connect(serving.pop3);
        line.ok("USER alice");
        let reply = line.ask(&format!("PASS {PASSWORD}")).unwrap();
        if reply.starts_with("+OK") {
            return line;
        }
        assert!(reply.starts_with("-ERR [IN-USE] "), "{reply}");
    }
}

#[test]
fn r31_a_silent_session_is_taken_over_and_cannot_delete() {
    let office = Office::with_mail(["one\n", "two\n"]);
    let config = office.folder().join("serve.toml");
    fs::write(&config, "[limits]\ntakeover_s = 1\n").unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(&config);
    let mut serving = office.serve_under(command);
    let mut silent = Line::login(serving.pop3, "alice", PASSWORD);
    silent.ok("DELE 1");
    let mut heir = insist(&serving);
    // Whether the connection is closed already or not, there is no answer.
    assert!(silent.ask("QUIT").is_none());
    assert_eq!(heir.ok("STAT"), "+OK 2 10");
    heir.ok("DELE 2");
    heir.ok("QUIT");
    assert_eq!(maildir::stored(&office.maildir("alice")).len(), 1);
    serving.process.terminate();
    assert!(serving.process.complaints().contains("taken over"), "the log says so");
}

/// Goal: two servers on one Maildir keep each other's sessions apart for as long as they live,
/// and not a moment longer. Method: the holder's server is killed.
#[test]
fn r31_another_process_is_never_taken_over_and_its_death_frees_the_maildrop() {
    let office = Office::with_mail(["one\n"]);
    let (mut one, other) = (office.serve(), office.serve());
    let mut holder = Line::login(one.pop3, "alice", PASSWORD);
    holder.ok("DELE 1");
    let mut line = Line::connect(other.pop3);
    line.ok("USER alice");
    let refused = line.refused(&format!("PASS {PASSWORD}"));
    let names = format!("in use by process {}, a POP3 session from 127.0.0.1:", one.process.id());
    assert!(refused.contains(&names), "{refused}");
    one.process.kill();
    let mut heir = Line::login(other.pop3, "alice", PASSWORD);
    assert_eq!(heir.ok("STAT"), "+OK 1 5");
}

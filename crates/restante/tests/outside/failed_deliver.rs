//! `restante deliver` that cannot: exit code 75, so that the mail transfer agent tries again, and
//! nothing to be seen in the maildrop; never half a message.

use std::fs::{self, File};

use crate::support::office::{self, Office};
use crate::support::strace::{self, EFFECTS, Injection};
use crate::support::{maildir, process};

#[test]
fn an_error_on_standard_input_is_temporary() {
    let office = Office::new(&["alice"]);
    // Reading a directory fails with EISDIR.
    let ended = office.deliver("alice", File::open("/").unwrap());
    assert_eq!(ended.status.code(), Some(75), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0);
}

#[test]
fn strace_calls_that_fail_or_kill_leave_the_whole_message_or_nothing() {
    let office = Office::new(&["alice"]);
    let maildir = office.maildir("alice");
    let message = office.folder().join("message");
    let text = format!("Subject: a\n\n{}", "line\n".repeat(100_000));
    fs::write(&message, &text).unwrap();
    let whole = maildir::print(text.as_bytes());
    let mut deliver = office::restante();
    deliver.args(["deliver", "alice", "--data"]).arg(office.data());

    for injection in [Injection::Error("ENOSPC"), Injection::Error("EIO"), Injection::Kill] {
        let mut failed = 0;
        for calls in EFFECTS {
            // Opening the program's own libraries and user list is not delivery.
            if calls.contains("open") {
                continue;
            }
            // An error that does not matter (nothing to unlink) is behind us at call 3.
            for nth in 1.. {
                assert!(nth < 300, "{calls}: no call is left to fail, and it still does");
                let what = format!("{injection:?} at {calls} number {nth}");
                let mut doomed = strace::inject(&deliver, calls, injection, nth);
                let stdin = File::open(&message).unwrap();
                let ended = process::run_on("doomed-deliver", office.folder(), &mut doomed, stdin);
                let stored = maildir::stored(&maildir);
                match (ended.status.code(), injection) {
                    (Some(0), _) => maildir::assert_same_heap(&stored, &[whole], &what),
                    // What fails behind the rename leaves the whole message, and it comes again.
                    (Some(75), Injection::Error(_)) | (None, Injection::Kill) => {
                        failed += 1;
                        assert!(stored.is_empty() || stored == [whole], "{what}: half a message");
                    }
                    (code, _) => panic!("{what}: {code:?} {}", ended.stderr),
                }
                for file in maildir::files(&maildir) {
                    fs::remove_file(file).unwrap();
                }
                if ended.status.success() && nth > 3 {
                    break;
                }
            }
        }
        assert!(failed > 4, "{injection:?}: only {failed} runs failed");
    }
}

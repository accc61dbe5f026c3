//! `restante deliver` that cannot: exit code 75, so that the mail transfer agent tries again, and
//! nothing to be seen in the maildrop; never half a message.

use std::fs::{self, File};

use crate::support::office::{self, Office};
use crate::support::strace::{self, Injection};
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
    let message = office.folder().join("message");
    let text = format!("Subject: a\n\n{}", "line\n".repeat(100_000));
    fs::write(&message, &text).unwrap();
    let whole = maildir::print(text.as_bytes());
    let mut deliver = office::restante();
    deliver.args(["deliver", "alice", "--data"]).arg(office.data());

    let disk = "?write,?writev,?pwrite64,?fsync,?fdatasync,?rename,?renameat,?renameat2,?ftruncate";
    let injections = [Injection::Error("ENOSPC"), Injection::Error("EIO"), Injection::Kill];
    for injection in injections {
        let (mut failed, mut nth) = (0, 1);
        loop {
            assert!(nth < 500, "no call is left to fail, and it still does");
            let what = format!("{injection:?} at call {nth}");
            let mut doomed = strace::inject(&deliver, disk, injection, nth);
            let stdin = File::open(&message).unwrap();
            let ended = process::run_on("doomed-deliver", office.folder(), &mut doomed, stdin);
            let files = maildir::files(&office.maildir("alice"));
            match (ended.status.code(), injection) {
                (Some(0), _) => {
                    // What failed did not matter, or there was no such call.
                    maildir::assert_same_heap(
                        &maildir::stored(&office.maildir("alice")),
                        &[whole],
                        &what,
                    );
                }
                (Some(75), Injection::Error(_)) => {
                    failed += 1;
                    // An error behind the rename may leave the whole message, which comes again.
                    assert!(files.len() <= 1, "{what}");
                    assert!(maildir::stored(&office.maildir("alice")).iter().all(|p| *p == whole));
                }
                (None, Injection::Kill) | (Some(137), Injection::Kill) => {
                    failed += 1;
                    assert!(maildir::stored(&office.maildir("alice")).iter().all(|p| *p == whole));
                }
                (code, _) => panic!("{what}: {code:?} {}", ended.stderr),
            }
            for file in files {
                fs::remove_file(file).unwrap();
            }
            if ended.status.success() && nth > 8 {
                break;
            }
            nth += 1;
        }
        assert!(failed > 2, "{injection:?}: only {failed} runs failed");
    }
}

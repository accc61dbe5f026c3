//! `restante collect` is killed (SIGKILL) at the system calls of a session with ten messages, those
//! to the file system and those to the network; the next run must leave exactly one copy of every
//! message here and, with leave = never, none there.

use crate::support::maildir;
use crate::support::office::{Account, Office, Serving};
use crate::support::process;
use crate::support::strace::{self, EFFECTS, Injection};

#[test]
fn strace_killed_collect_neither_repeats_nor_drops() {
    const USERS: usize = 600;
    let names: Vec<String> = (0..USERS).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let office = Office::new(&users);
    let serving = office.serve();
    let mut users = users.iter();
    let mut kills = 0;
    for calls in EFFECTS.into_iter().chain(NETWORK) {
        for nth in 1.. {
            let user = users.next().expect("enough users for the whole sweep");
            if !killed_at(&office, &serving, user, calls, nth) {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 100, "only {kills} runs were killed");
}

/// What tells nobody anything, but comes between what does.
const NETWORK: [&str; 5] =
    ["?socket,?connect", "?recvfrom,?recvmsg", "?shutdown", "?mkdir,?mkdirat", "?flock,?ftruncate"];

/// Collects the mail of `user`, once killed, then without; whether the kill hit.
fn killed_at(office: &Office, serving: &Serving, user: &str, calls: &str, nth: u32) -> bool {
    let messages: Vec<String> = (1..=10)
        .map(|n| format!("Subject: {n}\r\n\r\n..\r\n{}", "body\r\n".repeat(n * 7)))
        .collect();
    let sent = maildir::prints(&messages);
    maildir::fill(&office.maildir(user), &messages);
    let folder = office.folder().join(format!("collector-{user}"));
    std::fs::create_dir(&folder).unwrap();
    let inbox = folder.join("inbox");
    let account = Account {
        address: serving.pop3s,
        encryption: "tls",
        user,
        leave: "never",
        certificate: &serving.certificate,
        maildir: &inbox,
    };
    let command = account.collect_command(&folder);
    let mut doomed = strace::inject(&command, calls, Injection::Kill, nth);
    let killed = !process::run("doomed-collect", &folder, &mut doomed).status.success();

    // The server frees the maildrop once it sees the dead connection, which a second run may be
    // faster than.
    let mut runs = 1;
    loop {
        let ended = account.collect(&folder);
        if ended.status.success() {
            break;
        }
        runs += 1;
        assert!(runs < 50, "killed at {calls} number {nth}, and then: {}", ended.stderr);
    }
    let what = format!("killed at {calls} number {nth} and run {runs} times more");
    maildir::assert_same_heap(&maildir::stored(&inbox), &sent, &what);
    assert_eq!(maildir::files(&office.maildir(user)).len(), 0, "{what}: the server is empty");
    killed
}

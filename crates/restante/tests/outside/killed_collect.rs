//! `restante collect` is killed (SIGKILL) at every so many of its system calls; the next run must
//! leave exactly one copy of every message here and, with leave = never, none there.

use crate::support::maildir;
use crate::support::office::{Account, Office};
use crate::support::process;
use crate::support::strace::{self, EFFECTS, Injection};

#[test]
fn strace_killed_collect_neither_repeats_nor_drops() {
    const USERS: usize = 70;
    let names: Vec<String> = (0..USERS).map(|n| format!("user{n}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    let office = Office::new(&users);
    let messages: Vec<String> = (1..=6)
        .map(|n| format!("Subject: {n}\r\n\r\n..\r\n{}", "body\r\n".repeat(n * 7)))
        .collect();
    let sent = maildir::prints(&messages);
    let serving = office.serve();

    let (mut kills, mut nth) = (0, 1);
    for user in &users {
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
        let mut doomed = strace::inject(&command, EFFECTS, Injection::Kill, nth);
        let ended = process::run("doomed-collect", &folder, &mut doomed);
        let killed = !ended.status.success();
        kills += usize::from(killed);

        // The server frees the maildrop once it sees the dead connection, which a second run may
        // be faster than.
        let mut runs = 0;
        loop {
            let ended = account.collect(&folder);
            runs += 1;
            if ended.status.success() {
                break;
            }
            assert!(runs < 50, "killed at call {nth}, and then: {}", ended.stderr);
        }
        let what = format!("killed at call {nth}, then {runs} more runs");
        maildir::assert_same_heap(&maildir::stored(&inbox), &sent, &what);
        assert_eq!(maildir::files(&office.maildir(user)).len(), 0, "{what}: the server is empty");
        if !killed {
            break;
        }
        // Every call at first, where configuration, lock and ledger are opened.
        nth += if nth < 12 { 1 } else { 3 };
    }
    assert!(kills > 10, "only {kills} runs were killed");
    assert!(kills < USERS, "no run was left to finish");
}

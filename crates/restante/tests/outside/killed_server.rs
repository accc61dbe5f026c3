//! The server is killed (SIGKILL) while a client has marked messages for deletion. Before QUIT
//! nothing may be gone; once QUIT is answered +OK everything marked is gone and nothing else.

use crate::support::line::Line;
use crate::support::maildir::{self, Print};
use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::strace::{self, EFFECTS, Injection};

#[test]
fn server_killed_before_quit_has_deleted_nothing() {
    let (office, sent) = office_with(MESSAGES);
    // The session up to here, and then the end. Every prefix of it is tried.
    let session =
        ["STAT", "DELE 1", "RETR 2", "DELE 2", "DELE 4", "RSET", "DELE 3", "NOOP", "DELE 5"];
    for spoken in 0..=session.len() {
        let mut serving = office.serve();
        let mut line = Line::login(serving.pop3, "alice", PASSWORD);
        for command in &session[..spoken] {
            match *command {
                "RETR 2" => drop(line.body(command)),
                command => drop(line.ok(command)),
            }
        }
        // With half a command on its way.
        line.send(b"QUI").unwrap();
        serving.process.kill();
        assert_eq!(line.rest(), b"", "nothing is said any more");
        assert_whole(&office, &sent, &format!("killed behind {:?}", &session[..spoken]));
    }
}

#[test]
fn server_killed_behind_the_answer_to_quit_has_deleted_for_good() {
    let (office, sent) = office_with(MESSAGES);
    let mut serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    for number in [1, 3, 4] {
        line.ok(&format!("DELE {number}"));
    }
    line.ok("QUIT");
    serving.process.kill();
    assert_whole(&office, &[sent[1], sent[4]], "killed behind +OK");
}

#[test]
fn strace_killed_inside_quit_the_server_deletes_all_that_was_marked_or_nothing() {
    sweep(false);
}

#[test]
fn strace_killed_inside_quit_the_server_moves_all_that_was_marked_to_the_trash_or_nothing() {
    sweep(true);
}

fn sweep(trash: bool) {
    let mut killed_behind_quit = 0;
    for calls in EFFECTS {
        let mut nth = 1;
        loop {
            match killed_at(calls, nth, trash) {
                Outcome::Finished => break,
                Outcome::KilledBehindQuit => killed_behind_quit += 1,
                Outcome::KilledBefore => {}
            }
            nth += 1;
            assert!(nth < 200, "{calls}: the sweep never gets past QUIT");
        }
    }
    assert!(killed_behind_quit > 4, "only {killed_behind_quit} kills hit QUIT");
}

/// How far a server came that was killed at a call.
#[derive(Debug)]
enum Outcome {
    KilledBefore,
    KilledBehindQuit,
    Finished,
}

fn killed_at(calls: &str, nth: u32, trash: bool) -> Outcome {
    const MARKED: [usize; 3] = [1, 2, 4];
    let (office, sent) = office_with(MESSAGES);
    let left: Vec<Print> =
        (1..=MESSAGES).filter(|n| !MARKED.contains(n)).map(|n| sent[n - 1]).collect();
    // Makes the certificate, so that fewer calls come before the session.
    office.serve().process.terminate();
    let mut command = office.serve_command();
    if trash {
        let config = office.folder().join("serve.toml");
        std::fs::write(&config, "[policy]\ntrash = \"Trash\"\n").unwrap();
        command.arg("--config").arg(config);
    }
    let nothing_lost = |what: &str| {
        if trash {
            let maildir = office.maildir("alice");
            let (mut all, bin) = (maildir::stored(&maildir), maildir.join(".Trash"));
            all.extend(if bin.exists() { maildir::stored(&bin) } else { Vec::new() });
            maildir::assert_same_heap(&all, &sent, what);
        }
    };
    let command = strace::inject(&command, calls, Injection::Kill, nth);
    let what = format!("killed at {calls} number {nth}");
    let Ok(mut serving) = office.try_serve_under(command) else {
        assert_whole(&office, &sent, &format!("{what}, before it was ready"));
        return Outcome::KilledBefore;
    };
    let (answer, asked) = delete_and_quit(&serving, &MARKED);
    let what = format!("{what}; QUIT was answered {answer:?}");
    if answer.is_some_and(|answer| answer.starts_with("+OK")) {
        serving.process.kill();
        assert_whole(&office, &left, &what);
        nothing_lost(&what);
        return Outcome::Finished;
    }
    serving.process.wait();
    nothing_lost(&what);
    let now = listed(&office);
    assert!(
        now.len() == sent.len() || (asked && now.len() == left.len()),
        "{what}: {} are listed",
        now.len()
    );
    assert_whole(&office, if now.len() == sent.len() { &sent } else { &left }, &what);
    nothing_lost(&what);
    if asked { Outcome::KilledBehindQuit } else { Outcome::KilledBefore }
}

const MESSAGES: usize = 5;

fn office_with(count: usize) -> (Office, Vec<Print>) {
    let messages: Vec<String> =
        (1..=count).map(|n| format!("Subject: {n}\n\n{}", "body\n".repeat(n))).collect();
    (Office::with_mail(&messages), maildir::prints(&messages))
}

/// Marks and quits as far as the server lives; the answer to QUIT, and whether QUIT was sent.
fn delete_and_quit(serving: &Serving, marked: &[usize]) -> (Option<String>, bool) {
    let Ok(mut line) = Line::try_connect(serving.pop3) else { return (None, false) };
    let login = ["USER alice".to_owned(), format!("PASS {PASSWORD}")];
    for command in login.into_iter().chain(marked.iter().map(|n| format!("DELE {n}"))) {
        if line.ask(&command).is_none() {
            return (None, false);
        }
    }
    (line.ask("QUIT"), true)
}

/// What a server started anew gives, fetched message by message, and that its Maildir agrees.
fn assert_whole(office: &Office, sent: &[Print], what: &str) {
    maildir::assert_same_order(&listed(office), sent, what);
    maildir::assert_same_heap(&maildir::stored(&office.maildir("alice")), sent, what);
}

fn listed(office: &Office) -> Vec<Print> {
    let serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    let stat = line.ok("STAT");
    let count: usize = stat.split(' ').nth(1).unwrap().parse().unwrap();
    let prints = (1..=count).map(|n| maildir::print(&line.body(&format!("RETR {n}")))).collect();
    line.ok("QUIT");
    prints
}

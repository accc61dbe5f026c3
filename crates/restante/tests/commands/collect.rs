//! `restante collect`: what it says and how it ends. The server is a few lines of its own here;
//! real ones are met elsewhere.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::{Run, Scene};

/// Answers one session for a maildrop with one message, or none.
pub(crate) fn serve(
    message: Option<&'static str>,
    login: &'static str,
) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut heard = Vec::new();
        stream.write_all(b"+OK\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            let reply = match (line.split(' ').next().unwrap(), message) {
                ("CAPA", _) => "-ERR\r\n".to_owned(),
                ("PASS", _) => format!("{login}\r\n"),
                ("UIDL" | "LIST", None) => "+OK\r\n.\r\n".to_owned(),
                ("UIDL", Some(_)) => "+OK\r\n1 a\r\n.\r\n".to_owned(),
                ("LIST", Some(message)) => format!("+OK\r\n1 {}\r\n.\r\n", message.len()),
                ("RETR", Some(message)) => format!("+OK\r\n{message}.\r\n"),
                _ => "+OK\r\n".to_owned(),
            };
            stream.write_all(reply.as_bytes()).unwrap();
            heard.push(line);
        }
        heard
    });
    (port, serving)
}

/// An account called `name` on this machine.
fn account(scene: &Scene, name: &str, port: u16) -> String {
    scene.file("pw", "s3cret\n");
    let mut command = std::process::Command::new("chmod");
    assert!(command.args(["600", "pw"]).current_dir(scene.path()).status().unwrap().success());
    format!(
        "[[account]]\nname = \"{name}\"\nserver = \"127.0.0.1\"\nport = {port}\n\
         encryption = \"none\"\nuser = \"fred\"\npassword_file = \"pw\"\n\
         leave = \"never\"\nmaildir = \"inbox\"\n"
    )
}

/// A port nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn collect(scene: &Scene, accounts: &str, flags: &str) -> Run {
    scene.file("a.toml", &format!("state = \"state\"\n{accounts}"));
    scene.run(&format!("collect --config a.toml {flags}"), "")
}

#[test]
fn mail_is_stored_and_told_of() {
    let scene = Scene::new();
    let (port, serving) = serve(Some("Subject: x\r\n\r\n.. y\r\n"), "+OK");
    let run = collect(&scene, &account(&scene, "work", port), "--quiet").good();
    assert_eq!(run.stdout, "");
    assert!(serving.join().unwrap().contains(&"DELE 1".to_owned()));
    let stored = std::fs::read_dir(scene.path().join("inbox/new")).unwrap().next().unwrap();
    let text = std::fs::read_to_string(stored.unwrap().path()).unwrap();
    assert_eq!(text, "Subject: x\n\n. y\n");
    // Another account, told of in JSON.
    let (port, serving) = serve(Some("Subject: z\r\n"), "+OK");
    let run = collect(&scene, &account(&scene, "other", port), "--json").good_but_talkative();
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&report["account"], &report["fetched"], &report["octets"], &report["deleted"]),
        (&"other".into(), &1.into(), &12.into(), &1.into())
    );
    assert_eq!((&report["error"], &report["failed"]), (&serde_json::Value::Null, &0.into()));
    serving.join().unwrap();
}

#[test]
fn no_mail_and_no_account_are_no_failure() {
    let scene = Scene::new();
    let (port, serving) = serve(None, "+OK");
    let run = collect(&scene, &account(&scene, "work", port), "").good();
    assert_eq!(
        run.stdout,
        format!("work: 0 fetched (0 B), 0 deleted, 0 left on 127.0.0.1:{port}\n")
    );
    serving.join().unwrap();
    assert_eq!(collect(&scene, "", "").good().stdout, "");
}

#[test]
fn a_dry_run_fetches_nothing() {
    let scene = Scene::new();
    let (port, serving) = serve(Some("x\r\n"), "+OK");
    let run = collect(&scene, &account(&scene, "work", port), "--dry-run").good_but_talkative();
    let says =
        format!("work: would fetch 1 message (3 B), delete 1 and leave 0 on 127.0.0.1:{port}\n");
    assert_eq!(run.stdout, says);
    let heard = serving.join().unwrap();
    assert!(!heard.iter().any(|line| line.starts_with("RETR") || line.starts_with("DELE")));
    assert!(!scene.path().join("inbox").exists());
}

#[test]
fn a_plan_says_what_would_become_of_each_message() {
    let scene = Scene::new();
    let plan = |flags: &str| {
        let (port, serving) = serve(Some("x\r\n"), "+OK");
        let accounts = account(&scene, "work", port);
        scene.file("a.toml", &format!("state = \"state\"\n{accounts}"));
        let run = scene.run(&format!("collect plan --config a.toml {flags}"), "").good();
        let heard = serving.join().unwrap();
        assert!(!heard.iter().any(|line| line.starts_with("RETR") || line.starts_with("DELE")));
        assert!(!scene.path().join("inbox").exists());
        (run, port)
    };
    let (run, port) = plan("--account work");
    let says = format!(
        "work: would fetch 1 message (3 B), delete 1 and leave 0 on 127.0.0.1:{port}\n      \
         1  fetch and delete         3 B  a  (new)\n"
    );
    assert_eq!(run.stdout, says);
    let (run, _) = plan("--json");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let message = serde_json::json!({
        "number": 1, "unique_id": "a", "octets": 3, "action": "fetch-and-delete", "reason": "new"
    });
    assert_eq!(report["messages"], serde_json::json!([message]));
    assert_eq!(scene.run("collect plan", "").code, Some(2));
    assert_eq!(scene.run("collect", "").code, Some(2));
}

#[test]
fn accounts_tell_how_they_stand() {
    let scene = Scene::new();
    let (port, serving) = serve(Some("x\r\n"), "+OK");
    let work = account(&scene, "work", port);
    scene.file("a.toml", &format!("state = \"state\"\n{work}"));
    let status = || scene.run("collect status --config a.toml", "").good().stdout;
    assert_eq!(status(), format!("work (127.0.0.1:{port}): never run\n"));
    collect(&scene, &work, "--quiet").good();
    serving.join().unwrap();
    let text = status();
    assert!(text.starts_with(&format!("work (127.0.0.1:{port}): good\n")), "{text}");
    for line in ["1 fetched, 1 deleted, 0 left there", "0 stored and on the server, 1 gone"] {
        assert!(text.contains(line), "{text}");
    }
    // Nobody listens any more.
    collect(&scene, &work, "").bad(75, &["work: "]);
    assert!(status().contains("cannot connect"), "{}", status());
    let json = scene.run("collect status --config a.toml --account work --json", "").good().stdout;
    let status: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(status["messages"], serde_json::json!({"stored": 0, "gone": 1, "waiting": 0}));
    assert!(status["last_good"].as_u64() <= status["last_run"]["ended"].as_u64());
    assert_eq!(status["last_run"]["temporary"], true);
}

#[test]
fn failures_end_with_75_when_time_may_heal_them_and_with_1_otherwise() {
    let scene = Scene::new();
    let unreachable = account(&scene, "away", closed_port());
    collect(&scene, &unreachable, "").bad(75, &["away: 127.0.0.1:", "cannot connect"]);
    for (login, code, says) in [
        ("-ERR [AUTH] no", 1, "wrong user name or password"),
        ("-ERR [IN-USE] busy", 75, "in use by another session"),
        ("-ERR [SYS/TEMP] sick", 75, "cannot log anyone in now"),
    ] {
        let (port, serving) = serve(None, login);
        let run = collect(&scene, &account(&scene, "work", port), "").bad(code, &["work: ", says]);
        assert!(!format!("{run:?}").contains("s3cret"));
        serving.join().unwrap();
    }
    // The one that needs somebody to look decides, and neither stops the other.
    let (port, serving) = serve(None, "-ERR [AUTH] no");
    let both = format!("{unreachable}{}", account(&scene, "work", port));
    let run = collect(&scene, &both, "");
    assert_eq!((run.code, run.stderr.lines().count()), (Some(1), 2), "{run:?}");
    serving.join().unwrap();
    let run = collect(&scene, &both, "--account away");
    run.bad(75, &["away: "]);
    collect(&scene, &both, "--account nobody").bad(1, &["nobody", "away, work"]);
}

#[test]
fn a_wrong_file_is_shown_at_its_line_and_column() {
    let scene = Scene::new();
    let text = account(&scene, "work", 1).replace("\"never\"", "\"2 weeks\"");
    let run = collect(&scene, &text, "");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.starts_with("restante: a.toml:9:9: leave is"), "{run:?}");
    scene.run("collect", "").usage();
}

impl Run {
    /// Asserts that it did what it was told, whatever it said on the way.
    fn good_but_talkative(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    fn usage(self) {
        assert_eq!(self.code, Some(2), "{self:?}");
    }
}

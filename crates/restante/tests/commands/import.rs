//! `restante collect import`: what it writes, what it says, and what a later run may delete. The
//! other collectors themselves are met elsewhere.

use std::os::unix::fs::PermissionsExt as _;

use crate::collect::serve;
use crate::{Run, Scene};

/// An mpop account on this machine, whose one message was fetched.
fn mpop(scene: &Scene, port: u16, keep: &str) {
    scene.file(
        "mpoprc",
        &format!(
            "account work\nhost 127.0.0.1\nport {port}\ntls off\nuser fred\n\
             password s3cret\nkeep {keep}\nuidls_file ids\n"
        ),
    );
    scene.file("ids", " 1 127.0.0.1 fred\na\n");
}

fn import(scene: &Scene, line: &str) -> Run {
    scene.run(&format!("collect import {line} --config a.toml --state state"), "")
}

fn accounts(scene: &Scene) -> String {
    std::fs::read_to_string(scene.path().join("a.toml")).unwrap()
}

#[test]
fn a_fetched_message_is_deleted_only_where_the_other_collector_was_to_delete_it() {
    for (keep, deleted) in [("off", true), ("on", false)] {
        let scene = Scene::new();
        let (port, serving) = serve(Some("Subject: x\r\n"), "+OK");
        mpop(&scene, port, keep);
        import(&scene, "mpoprc mpoprc --maildir inbox").good();
        // Their owner asks for less on the server from now on.
        let text = accounts(&scene).replace("\"always\"", "\"never\"");
        scene.file("a.toml", &text);
        scene.run("collect --config a.toml --quiet", "").good();
        let heard = serving.join().unwrap();
        assert!(!heard.iter().any(|line| line.starts_with("RETR")), "{heard:?}");
        assert_eq!(heard.contains(&"DELE 1".to_owned()), deleted, "{heard:?}");
    }
}

#[test]
fn accounts_are_added_and_passwords_lie_in_files_of_their_own() {
    let scene = Scene::new();
    let before = "# mine\n[[account]]\nname = \"work\"\nserver = \"other\"\nuser = \"fred\"\n\
                  password_file = \"pw\"\nmaildir = \"m\"\n";
    scene.file("a.toml", &format!("state = {:?}\n{before}", scene.path().join("state")));
    scene.file("work-2.password", "of another");
    mpop(&scene, 1, "on");
    let run = import(&scene, "mpoprc mpoprc --maildir inbox").good();
    assert!(!run.stdout.contains("s3cret") && run.stdout.contains("work-2: taken over"), "{run:?}");
    let text = accounts(&scene);
    assert!(text.contains(before) && text.contains("name = \"work-2\""), "{text}");
    assert!(text.contains("\"work-2-2.password\"") && !text.contains("s3cret"), "{text}");
    let file = scene.path().join("work-2-2.password");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "s3cret\n");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let run = import(&scene, "mpoprc mpoprc --maildir elsewhere").good();
    assert!(run.stdout.contains("work-2: is there already; 1 message"), "{run:?}");
    assert_eq!(accounts(&scene), text);
}

#[test]
fn what_cannot_be_taken_over_is_named_and_is_no_success() {
    let scene = Scene::new();
    mpop(&scene, 1, "on");
    let run = import(&scene, "mpoprc mpoprc");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("work: not taken over") && run.stdout.contains("--maildir"));
    scene.file("rc", "poll h proto imap user u password s3cret\n");
    let run = import(&scene, "fetchmailrc rc --maildir inbox --json");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!scene.path().join("a.toml").exists(), "there is nothing to write");
    let said: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(said["left_out"][0], "u on h: protocol imap, not POP3");
    for (file, text, said) in [
        ("rc", "poll h proto pop3 pasword x", "line 1"),
        ("a.toml", "[[acount]]", "a.toml:1:3"),
        ("a.toml", "state = \"/elsewhere\"", "leave --state out"),
    ] {
        scene.file("a.toml", "");
        scene.file(file, text);
        let run = import(&scene, "fetchmailrc rc --maildir inbox");
        assert!(run.code == Some(1) && run.stderr.contains(said), "{run:?}");
        scene.file("rc", "");
    }
    assert!(!scene.path().join("state").exists());
}

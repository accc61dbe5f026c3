//! `restante deliver`: what a mail transfer agent sees of it.

use std::fs::File;
use std::process::Command;

use crate::Scene;
use crate::support::{maildir, process};

fn office() -> Scene {
    let scene = Scene::new();
    scene.file("d/passwd", "fred:{PLAIN}x\nmute:{MD5}x\n");
    scene
}

/// All files of fred's maildrop, also those on their way.
fn mail(scene: &Scene) -> Vec<String> {
    let mut mail = Vec::new();
    for folder in ["new", "cur", "tmp"] {
        let path = scene.path().join("d/mail/fred/Maildir").join(folder);
        let Ok(entries) = std::fs::read_dir(path) else { continue };
        for entry in entries {
            mail.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    mail.sort();
    mail
}

#[test]
fn a_message_is_stored_once_and_without_its_from_line() {
    let scene = office();
    let message = "Subject: a\n\nFrom the middle\n.\n";
    let delivered = scene.run("deliver fred --data d", message).good();
    assert_eq!(delivered.stdout, "");
    scene.run("deliver fred --data d", &format!("From a@b Tue\n{message}")).good();
    assert_eq!(mail(&scene), [message, message]);
    let maildrop = scene.path().join("d/mail/fred/Maildir");
    assert_eq!(std::fs::read_dir(maildrop.join("new")).unwrap().count(), 2);
}

#[test]
fn a_message_that_comes_in_pieces_is_whole() {
    let scene = office();
    let line = format!("{}\n", "x".repeat(76));
    let message = format!("From me\nSubject: long\n\n{}", line.repeat(10_000));
    let mut cat = Command::new("cat")
        .arg(scene.file("message", &message))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut deliver = scene.command("deliver fred --data d");
    let pipe = cat.stdout.take().unwrap();
    process::run_on("deliver", scene.path(), &mut deliver, pipe).success("deliver");
    cat.wait().unwrap();
    assert_eq!(mail(&scene), [message.strip_prefix("From me\n").unwrap()]);
}

#[test]
fn a_user_who_cannot_log_in_still_gets_mail() {
    let scene = office();
    scene.run("deliver mute --data d", "Subject: a\n\nb\n").good();
    let maildrop = scene.path().join("d/mail/mute/Maildir");
    assert_eq!(maildir::files(&maildrop).len(), 1);
}

#[test]
fn each_reason_has_its_code_and_a_line() {
    let scene = office();
    scene.file("nobody/mail/x", "");
    scene.file("broken.toml", "data = \"d\"\n  idle = 3\n");
    let directory = scene.path().join("locked/passwd");
    std::fs::create_dir_all(directory).unwrap();
    for (line, code, says) in [
        ("deliver anna --data d", 67, "there is no user anna"),
        ("deliver ../fred --data d", 67, "there is no user"),
        ("deliver fred --data missing", 75, "there is no data folder missing"),
        ("deliver fred --data nobody", 75, "nobody/passwd"),
        ("deliver fred --data locked", 75, "locked/passwd"),
        ("deliver fred --config missing.toml", 78, "missing.toml"),
        ("deliver fred --data d --maildrop {data}/mail", 78, "{user}"),
    ] {
        scene.run(line, "Subject: a\n\nb\n").bad(code, &[says]);
    }
    let broken = scene.run("deliver fred --config broken.toml", "x");
    assert_eq!(broken.code, Some(78));
    assert!(
        broken.stderr.starts_with("restante: broken.toml:2:3: unknown key `idle`"),
        "{broken:?}"
    );
    for line in ["deliver", "deliver fred anna --data d", "--log json deliver fred --wrong"] {
        assert_eq!(scene.run(line, "x").code, Some(64), "{line}");
    }
    assert_eq!(mail(&scene), [""; 0]);
}

#[test]
fn the_log_is_plain_text_or_json_as_it_is_asked_for() {
    let scene = office();
    let human = scene.run("deliver fred --data d --log-level debug", "Subject: a\n\nb\n");
    assert!(human.code == Some(0) && human.stderr.contains("delivered"), "{human:?}");
    assert!(!human.stderr.contains('\x1b'), "{human:?}");
    let line = "deliver fred --data d --log-level debug --log json";
    let json = scene.run(line, "Subject: a\n\nb\n");
    let entry: serde_json::Value = serde_json::from_str(json.stderr.trim()).unwrap();
    assert_eq!((&entry["message"], &entry["user"]), (&"delivered".into(), &"fred".into()));
    assert_eq!(entry["octets"], 17);
}

#[test]
fn standard_input_that_fails_is_tried_again() {
    let scene = office();
    let mut deliver = scene.command("deliver fred --data d");
    let ended = process::run_on("deliver", scene.path(), &mut deliver, File::open("/").unwrap());
    assert_eq!(ended.status.code(), Some(75), "{}", ended.stderr);
    assert!(ended.stderr.contains("standard input"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert_eq!(mail(&scene), [""; 0]);
}

#[test]
fn standard_input_that_is_closed_is_no_empty_message() {
    let scene = office();
    let deliver = scene.command("deliver fred --data d");
    let mut closed = Command::new("sh");
    closed.args(["-c", "exec \"$@\" <&-", "sh"]).arg(deliver.get_program());
    closed.args(deliver.get_args()).current_dir(scene.path());
    scene.finish(&mut closed, "").bad(75, &["standard input: it is closed"]);
    assert_eq!(mail(&scene), [""; 0]);
}

/// A write that fails in the middle: the file may not grow past a limit. The system sends a deadly
/// signal first, which must not come through either.
#[test]
fn a_write_that_fails_in_the_middle_is_tried_again() {
    let scene = office();
    let deliver = scene.command("deliver fred --data d");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 64 && exec \"$@\"", "sh"]).arg(deliver.get_program());
    limited.args(deliver.get_args()).current_dir(scene.path());
    let message = format!("Subject: large\n\n{}", "line\n".repeat(100_000));
    scene.finish(&mut limited, &message).bad(75, &[]);
    assert_eq!(mail(&scene), [""; 0]);
    // What fits is not in the way of the limit.
    scene.finish(&mut limited, "Subject: small\n\nx\n").good();
    assert_eq!(mail(&scene), ["Subject: small\n\nx\n"]);
}

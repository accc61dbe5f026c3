//! `restante user`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Child;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::Scene;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_first_user_makes_a_private_data_folder() {
    let scene = Scene::new();
    let added = scene.run("user add fred --password-stdin --data d", "secret\nmore\n").good();
    assert_eq!(added.stdout, "added fred; mail lies in d/mail/fred/Maildir\n");
    assert_eq!(
        (mode(&scene.path().join("d")), mode(&scene.path().join("d/passwd"))),
        (0o700, 0o600)
    );
    let text = std::fs::read_to_string(scene.path().join("d/passwd")).unwrap();
    assert!(text.starts_with("fred:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(!text.contains("secret"));
}

#[test]
fn s71_a_password_is_stored_for_scram_on_request() {
    let scene = Scene::new();
    for (command, scheme, listed) in [
        ("add", "scram-sha-256", "fred\tSCRAM-SHA-256\n"),
        ("passwd", "argon2id", "fred\tARGON2ID\n"),
        ("passwd", "scram-sha-256", "fred\tSCRAM-SHA-256\n"),
    ] {
        let command = format!("user {command} fred --scheme {scheme} --password-stdin --data d");
        scene.run(&command, "secret\n").good();
        assert_eq!(scene.run("user list --data d", "").good().stdout, listed);
    }
    let text = std::fs::read_to_string(scene.path().join("d/passwd")).unwrap();
    assert!(text.starts_with("fred:{SCRAM-SHA-256}4096,"), "{text}");
}

#[test]
fn users_are_added_changed_listed_and_removed() {
    let scene = Scene::new();
    let passwd = scene.file("d/passwd", "# ours\nold:{PLAIN}x:1000\nmute:{MD5}x\n");
    scene.run("user add fred --password-stdin --data d", "one\r\n").good();
    scene.run("user passwd old --password-stdin --data d", "two").good();
    let text = std::fs::read_to_string(&passwd).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("# ours"));
    let old = lines.next().unwrap();
    assert!(old.starts_with("old:{ARGON2ID}$") && old.ends_with(":1000"), "{old}");

    let listed = scene.run("user list --data d --log-level off", "").good();
    assert_eq!(listed.stdout, "old\tARGON2ID\nmute\tcannot log in\nfred\tARGON2ID\n");
    let listed = scene.run("user list --json --data d --log-level off", "").good();
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed[2]["name"], "fred");
    assert_eq!(listed[2]["maildrop"], "d/mail/fred/Maildir");
    assert!(listed[1]["problem"].as_str().unwrap().contains("unknown password scheme"));

    scene.file("d/mail/fred/Maildir/new/1.x", "mail");
    let removed = scene.run("user remove fred --data d", "").good();
    assert!(removed.stdout.contains("d/mail/fred/Maildir"), "{removed:?}");
    assert!(scene.path().join("d/mail/fred/Maildir/new/1.x").exists());
    assert!(!std::fs::read_to_string(&passwd).unwrap().contains("fred"));
}

#[test]
fn an_edited_user_database_stays_readable_to_whom_it_was() {
    let scene = Scene::new();
    let passwd = scene.file("d/passwd", "fred:{PLAIN}x\n");
    for permissions in [0o640, 0o600] {
        std::fs::set_permissions(&passwd, std::fs::Permissions::from_mode(permissions)).unwrap();
        scene.run("user passwd fred --password-stdin --data d", "two\n").good();
        assert_eq!(mode(Path::new(&passwd)), permissions);
    }
}

#[test]
fn what_cannot_be_done_is_said_in_a_line_and_changes_nothing() {
    let scene = Scene::new();
    let passwd = scene.file("d/passwd", "fred:{PLAIN}x\n");
    for (line, stdin, says) in [
        ("user add fred --password-stdin --data d", "x\n", "fred exists already"),
        ("user add a:b --password-stdin --data d", "x\n", "colon"),
        ("user add ../x --password-stdin --data d", "x\n", "not a usable user name"),
        ("user add anna --password-stdin --data d", "", "no password on standard input"),
        ("user add anna --password-stdin --data d", "\n", "empty"),
        ("user add anna --password-stdin --data d", "a\0b\n", "NUL"),
        ("user add anna --data d", "x\n", "--password-stdin"),
        ("user passwd anna --password-stdin --data d", "x\n", "there is no user anna"),
        ("user remove anna --data d", "", "there is no user anna"),
        ("user remove fred --data e", "", "there is no data folder e"),
        ("user list --data e", "", "there is no data folder e"),
        ("user list --data d --maildrop {data}/mail", "", "{user}"),
    ] {
        let run = scene.run(line, stdin).bad(1, &[says]);
        assert_eq!(run.stdout, "", "{line}");
    }
    assert_eq!(std::fs::read_to_string(&passwd).unwrap(), "fred:{PLAIN}x\n");
    assert!(!scene.path().join("e").exists());
    assert_eq!(scene.run("user add", "").code, Some(2));
}

#[test]
fn another_user_database_is_honoured() {
    let scene = Scene::new();
    let config = scene.file("conf/restante.toml", "data = \"../d\"\npasswd = \"users\"\n");
    scene.run(&format!("user add fred --password-stdin --config {config}"), "x").good();
    assert!(scene.path().join("conf/users").exists() && scene.path().join("d").is_dir());
    let listed = scene.run("user list --data d --passwd conf/users", "").good();
    assert_eq!(listed.stdout, "fred\tARGON2ID\n");
}

#[test]
fn what_root_edits_stays_the_servers() {
    if !rustix::process::geteuid().is_root() {
        // Only root can leave a file to somebody else.
        return;
    }
    let scene = Scene::new();
    std::fs::create_dir(scene.path().join("d")).unwrap();
    std::os::unix::fs::chown(scene.path().join("d"), Some(4321), Some(4322)).unwrap();
    for line in
        ["user add fred --password-stdin --data d", "user passwd fred --password-stdin --data d"]
    {
        scene.run(line, "x").good();
        for file in ["d/passwd", "d/passwd.lock"] {
            let meta = std::fs::metadata(scene.path().join(file)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (4321, 4322), "{file} after {line}");
        }
    }
}

/// Starts `restante` on a terminal of its own.
fn on_terminal(scene: &Scene, line: &str) -> (File, Child) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = scene.command(line);
    command.stdin(side.try_clone().unwrap()).stderr(side.try_clone().unwrap()).stdout(side);
    let child = command.spawn().unwrap();
    (File::from(terminal), child)
}

/// Reads from the terminal until it shows `text` or its other side is closed.
fn read_until(terminal: &mut File, seen: &mut String, text: Option<&str>) {
    let mut octet = [0];
    while !text.is_some_and(|text| seen.ends_with(text)) {
        // Linux says EIO once nobody has the other side open.
        match terminal.read(&mut octet) {
            Ok(1) => seen.push(char::from(octet[0])),
            _ if text.is_none() => return,
            end => panic!("{end:?} after {seen}"),
        }
    }
}

#[test]
fn a_terminal_is_asked_twice_and_shows_nothing() {
    let scene = Scene::new();
    for (name, second, code) in [("fred", "correct horse\n", 0), ("anna", "correct hose\n", 1)] {
        let line = format!("user add {name} --data d");
        let (mut terminal, mut child) = on_terminal(&scene, &line);
        let mut seen = String::new();
        for (prompt, answer) in [("Password: ", "correct horse\n"), ("Once more: ", second)] {
            read_until(&mut terminal, &mut seen, Some(prompt));
            terminal.write_all(answer.as_bytes()).unwrap();
        }
        read_until(&mut terminal, &mut seen, None);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{seen}");
        assert!(!seen.contains("correct"), "{seen}");
        assert_eq!(seen.contains("added fred"), code == 0, "{seen}");
        assert_eq!(seen.contains("differ"), code == 1, "{seen}");
    }
}

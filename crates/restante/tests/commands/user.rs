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
    let passwd = scene.file("d/passwd", "# ours\nold:{PLAIN}x:1000\nmute:{MD6}x\n");
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
        for file in ["d/passwd", "d/passwd.lock", "d/audit.jsonl"] {
            let meta = std::fs::metadata(scene.path().join(file)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (4321, 4322), "{file} after {line}");
        }
    }
}

#[test]
fn an_app_password_is_shown_once_listed_and_taken_back() {
    let scene = Scene::new();
    scene.file("d/passwd", "fred:{PLAIN}x\nanna:{PLAIN}x\n");
    let add = "user app-password add fred --data d --label phone";
    let made = scene.run(add, "").good().stdout;
    let secret = made.split(' ').next().unwrap();
    assert_eq!((secret.len(), secret.matches('-').count()), (24, 4), "{made}");
    assert!(made.contains("the app password phone of fred, shown this once"), "{made}");
    let line = "user app-password add anna --data d --label tv --scope pop,lmtp --json \
        --expires 2099-01-31";
    let made: serde_json::Value = serde_json::from_str(&scene.run(line, "").good().stdout).unwrap();
    assert_eq!(made["secret"].as_str().unwrap().len(), 24);
    assert_eq!(made["scope"], serde_json::json!(["pop", "lmtp"]));
    assert_eq!(made["expires"], "2099-01-31T00:00:00Z");

    let listed = scene.run("user app-password list --data d", "").good().stdout;
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].starts_with("fred\tphone\tpop\tcreated 20"), "{listed}");
    assert!(lines[0].ends_with("Z\texpires never\tlast used never"), "{listed}");
    assert!(lines[1].starts_with("anna\ttv\tpop,lmtp\t"), "{listed}");
    assert!(lines[1].contains("\texpires 2099-01-31T00:00:00Z\t"), "{listed}");
    let listed = scene.run("user app-password list anna --json --data d", "").good().stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["label"]), (1, &"tv".into()));
    assert_eq!((&listed[0]["last_used"], &listed[0]["expired"]), (&().into(), &false.into()));
    assert!(listed[0]["secret"].is_null());

    let removed = scene.run("user app-password remove anna tv --data d", "").good();
    assert_eq!(removed.stdout, "removed the app password tv of anna\n");
    scene.run("user remove fred --data d", "").good();
    assert_eq!(scene.run("user app-password list --data d", "").good().stdout, "");
    let kept = std::fs::read_to_string(scene.path().join("d/audit.jsonl")).unwrap();
    assert!(!kept.contains(secret), "{kept}");
    let mode_of = |name| mode(&scene.path().join(name));
    assert_eq!(mode_of("d/passwd.app-passwords"), mode_of("d/passwd"), "for who reads that, too");
}

#[test]
fn what_is_wrong_with_an_app_password_is_said_in_a_line() {
    let scene = Scene::new();
    scene.file("d/passwd", "fred:{PLAIN}x\n");
    let add = "user app-password add fred --data d --label phone";
    scene.run(add, "").good();
    for (line, says) in [
        (add, "fred has an app password with this label already"),
        ("user app-password add anna --data d --label phone", "there is no user anna"),
        ("user app-password add fred --data d --label x --expires soon", "`soon` is no time"),
        ("user app-password add fred --data d --label x --expires 0d", "over already"),
        ("user app-password remove fred tv --data d", "no app password with this label"),
        ("user app-password remove anna tv --data d", "there is no user anna"),
        ("user disable anna --data d", "there is no user anna"),
    ] {
        assert_eq!(scene.run(line, "").bad(1, &[says]).stdout, "", "{line}");
    }
    let listed = scene.run("user app-password list --data d", "").good().stdout;
    assert_eq!(listed.lines().count(), 1);
    assert_eq!(scene.run("user log --data d", "").good().stdout.lines().count(), 1);
}

#[test]
fn a_user_is_turned_off_and_on_and_a_new_one_of_that_name_is_on() {
    let scene = Scene::new();
    scene.file("d/passwd", "fred:{PLAIN}x\n");
    for (line, says, listed) in [
        ("user disable fred --data d", "disabled fred\n", "fred\tPLAIN\tdisabled\n"),
        ("user disable fred --data d", "fred was disabled already\n", "fred\tPLAIN\tdisabled\n"),
        ("user enable fred --data d", "enabled fred\n", "fred\tPLAIN\n"),
        ("user enable fred --data d", "fred was enabled already\n", "fred\tPLAIN\n"),
        ("user disable fred --data d", "disabled fred\n", "fred\tPLAIN\tdisabled\n"),
    ] {
        assert_eq!(scene.run(line, "").good().stdout, says);
        assert_eq!(scene.run("user list --data d", "").good().stdout, listed, "{line}");
    }
    let listed = scene.run("user list --json --data d", "").good().stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["disabled"], true);
    scene.run("user remove fred --data d", "").good();
    scene.run("user add fred --password-stdin --data d", "y\n").good();
    assert_eq!(scene.run("user list --data d", "").good().stdout, "fred\tARGON2ID\n");
}

#[test]
fn every_change_is_in_the_log_and_none_is_made_that_could_not_be() {
    let scene = Scene::new();
    let passwd = scene.file("d/passwd", "anna:{PLAIN}x\n");
    let changes = [
        ("user add fred --password-stdin --data d", "add"),
        ("user passwd fred --password-stdin --scheme scram-sha-256 --data d", "passwd"),
        ("user disable fred --data d", "disable"),
        ("user enable fred --data d", "enable"),
        ("user app-password add fred --label phone --data d", "app-password-add"),
        ("user app-password remove fred phone --data d", "app-password-remove"),
        ("user remove fred --data d", "remove"),
    ];
    for (line, _) in changes {
        scene.run(line, "topsecret\n").good();
    }
    scene.run("user passwd nobody --password-stdin --data d", "x\n").bad(1, &["no user"]);
    scene.run("user disable anna --data d", "").good();
    let log = scene.run("user log fred --json --data d", "").good().stdout;
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    let actions: Vec<_> = log.as_array().unwrap().iter().map(|c| c["action"].as_str()).collect();
    assert_eq!(actions, changes.map(|(_, action)| Some(action)));
    assert_eq!((&log[1]["scheme"], &log[4]["label"]), (&"SCRAM-SHA-256".into(), &"phone".into()));
    assert_eq!(log[0]["by"]["uid"], rustix::process::getuid().as_raw());
    let text = scene.run("user log --data d", "").good().stdout;
    assert_eq!(text.lines().count(), changes.len() + 1, "{text}");
    assert!(text.contains(" fred app-password-add ") && text.contains("label=\"phone\""), "{text}");
    assert!(!text.contains("topsecret"));
    let file = scene.path().join("d/audit.jsonl");
    assert_eq!(mode(&file), 0o600);

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let before = std::fs::read_to_string(&passwd).unwrap();
    for (line, _) in [changes[0], ("user remove anna --data d", ""), changes[4]] {
        scene.run(line, "x\n").bad(1, &["nothing was changed: cannot write the audit log"]);
    }
    assert_eq!(std::fs::read_to_string(&passwd).unwrap(), before);
    // It may lie elsewhere.
    let config = scene.file("c.toml", "data = \"d\"\naudit = \"elsewhere\"\n");
    scene.run(&format!("user enable anna --config {config}"), "").good();
    assert!(scene.path().join("elsewhere").exists());
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

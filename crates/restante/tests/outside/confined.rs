//! The running server is confined: it reaches its own files and no others, cannot gain anything,
//! and is the user it was told to be. Needs a kernel with Landlock and seccomp.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::{maildir, process};

/// `restante serve` with a configuration of these lines.
fn configured(office: &Office, text: &str) -> Command {
    let config = office.folder().join("restante.toml");
    fs::write(&config, text).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(config);
    command
}

/// What each thread's status says behind `name`.
fn of_each_thread(serving: &Serving, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", serving.process.id())).unwrap();
    let value = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    tasks.map(|task| value(task.unwrap())).collect()
}

#[test]
fn r20_every_thread_of_the_server_is_confined() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let mut serving = office.serve();
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    line.body("RETR 1");
    let threads = of_each_thread(&serving, "Seccomp:");
    assert!(threads.len() > 2, "{threads:?}");
    assert!(threads.iter().all(|mode| mode == "2"), "{threads:?}");
    assert!(of_each_thread(&serving, "NoNewPrivs:").iter().all(|set| set == "1"));
    // Who cannot be traced by its own user has an environment that only root sees.
    line.ok("DELE 1");
    line.ok("QUIT");
    serving.process.terminate();
    let log = serving.process.complaints();
    assert!(log.contains("confined files=Landlock "), "{log}");
    assert!(log.contains("deleted=1"), "and works: {log}");
}

/// Goal: mail that lies elsewhere is out of reach, whatever leads there, until that place is named
/// or confinement is turned off; so it is the confinement that keeps the server out.
#[test]
fn r20_a_maildrop_that_leads_outside_is_not_served_unless_named() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let outside = tempfile::tempdir().unwrap();
    let inside = office.data().join("mail/alice");
    copy(&inside, &outside.path().join("alice"));
    fs::remove_dir_all(&inside).unwrap();
    symlink(outside.path().join("alice"), &inside).unwrap();
    let named = format!("[sandbox]\npaths = [{:?}]\n", outside.path());
    for (text, served) in [
        ("", false),
        (&named, true),
        ("[sandbox]\nfiles = false\n", true),
        ("[sandbox]\ncalls = false\n", false),
    ] {
        let serving = office.serve_under(configured(&office, text));
        let mut line = Line::connect(serving.pop3);
        line.ok("USER alice");
        let reply = line.ask(&format!("PASS {PASSWORD}")).unwrap();
        assert_eq!(reply.starts_with("+OK 1 "), served, "{text:?}: {reply}");
        assert!(served || reply.starts_with("-ERR [SYS/"), "{text:?}: {reply}");
        assert!(!reply.contains('/') || !reply.contains("tmp"), "no path is told: {reply}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Goal: started as root, the server is another user in every thread and for good, and says at
/// the start what that user cannot read. Started as somebody else it says that only root can.
#[test]
fn r38_the_server_is_the_user_that_is_named() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    fs::set_permissions(office.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let text = "user = \"nobody\"\n";
    let refused_with = |text: &str, why: &str| {
        let mut command = configured(&office, text);
        command.args(["--listen", "pop3=127.0.0.1:0"]);
        let ended = process::run("serve", office.folder(), &mut command);
        assert!(!ended.status.success());
        assert!(ended.stderr.lines().last().unwrap().contains(why), "{}", ended.stderr);
    };
    let refused = |why| refused_with(text, why);
    if !rustix::process::getuid().is_root() {
        return refused("only root can become `nobody`");
    }
    fs::set_permissions(office.data(), fs::Permissions::from_mode(0o755)).unwrap();
    refused("nobody cannot read and write the data folder");
    let give = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    each(&office.data(), &give);
    chown(office.data().join("passwd"), Some(0), Some(0)).unwrap();
    refused("nobody cannot read the user database");
    give(&office.data().join("passwd"));
    let disabled = office.data().join("passwd.disabled");
    fs::write(&disabled, "bob\n").unwrap();
    fs::set_permissions(&disabled, fs::Permissions::from_mode(0o600)).unwrap();
    refused("nobody cannot read who is turned off");
    give(&disabled);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = office.folder().join("key.pem");
    fs::write(office.folder().join("chain.pem"), made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let tls = "[tls]\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
    refused_with(&format!("{text}{tls}"), "cannot read the key");

    let serving = office.serve_as(configured(&office, text), NOBODY);
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    assert_eq!(line.body("RETR 1"), maildir::canonical(b"Subject: 1\n\nbody\n"));
    let id = NOBODY.to_string();
    let four = [id.as_str(); 4].join(" ");
    for ids in ["Uid:", "Gid:"] {
        assert!(of_each_thread(&serving, ids).iter().all(|ids| *ids == four));
    }
    assert!(of_each_thread(&serving, "Groups:").iter().all(|groups| *groups == id));
    assert!(of_each_thread(&serving, "CapEff:").iter().all(|set| set.trim_matches('0').is_empty()));
}

fn each(path: &Path, give: &impl Fn(&Path)) {
    give(path);
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            each(&entry.unwrap().path(), give);
        }
    }
}

#[test]
fn config_check_shows_what_would_be_in_force() {
    let office = Office::new(&["alice"]);
    let config = office.folder().join("restante.toml");
    fs::write(&config, "user = \"nobody\"\n[sandbox]\ncalls = false\npaths = [\"/srv\"]\n")
        .unwrap();
    let mut check = crate::support::office::restante();
    check.args(["config", "check", "--config"]).arg(&config).arg("--data").arg(office.data());
    let ended = process::run("check", office.folder(), &mut check).success("config check");
    let said = String::from_utf8(ended.stdout).unwrap();
    for part in
        ["runs as nobody (uid ", "files: Landlock ", "/srv, ", "calls: any, sandbox.calls is false"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    fs::write(&config, "user = \"root\"\n").unwrap();
    let ended = process::run("check", office.folder(), &mut check);
    assert!(!ended.status.success() && ended.stderr.contains("is root"), "{}", ended.stderr);
}

/// Debian's user and group of that name.
const NOBODY: u32 = 65534;

//! Coming from another collector: it fetches ten messages and leaves them on the server, three
//! more arrive, `restante collect import` takes over, and the next run fetches exactly the three.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dovecot::Identity;
use crate::support::office::{Office, PASSWORD, Serving, restante};
use crate::support::{maildir, process};

#[test]
fn peer_mpop_is_left_for_collect_and_nothing_is_fetched_again() {
    process::need("mpop");
    let scene = Scene::new();
    let config = scene.write(
        "mpoprc",
        &format!(
            "defaults\ntls on\ntls_trust_file {}\naccount work\nhost localhost\nport {}\n\
             tls_starttls off\nuser alice\npassword \"{PASSWORD}\"\ndelivery maildir {}\nkeep on\n",
            scene.certificate().display(),
            scene.serving.pop3s.port(),
            scene.old.display(),
        ),
    );
    scene.run("mpop", Command::new("mpop").arg("--file").arg(&config).arg("work"));
    assert_eq!(maildir::files(&scene.old).len(), FETCHED);
    scene.take_over("mpoprc", &config);
}

#[test]
fn peer_getmail_is_left_for_collect_and_nothing_is_fetched_again() {
    process::need("getmail");
    // It waits in vain for its children now and then; that run does not count.
    for _ in 0..10 {
        let scene = Scene::new();
        // It stores nothing as root, but changes to another user if it is told to.
        let identity = Identity::of_this_process();
        let mut user = "";
        if identity.is_root {
            identity.own_all(&scene.old);
            fs::set_permissions(scene.home(), fs::Permissions::from_mode(0o755)).unwrap();
            user = "user = mail\n";
        }
        let config = scene.write(
            "getmail/getmailrc",
            &format!(
                "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {}\n\
                 username = alice\npassword = {PASSWORD}\nca_certs = {}\ntimeout = 10\n\
                 [destination]\ntype = Maildir\npath = {}/\n{user}\
                 [options]\nread_all = false\ndelete = false\n",
                scene.serving.pop3s.port(),
                scene.certificate().display(),
                scene.old.display(),
            ),
        );
        scene.run(
            "getmail",
            Command::new("getmail").arg("--getmaildir").arg(config.parent().unwrap()),
        );
        if maildir::files(&scene.old).len() == FETCHED {
            scene.take_over("getmailrc", &config);
            return;
        }
    }
    panic!("getmail waits for its children in vain");
}

#[test]
fn peer_fetchmail_is_left_for_collect_and_nothing_is_fetched_again() {
    process::need("fetchmail");
    let scene = Scene::new();
    let config = scene.write(
        "fetchmailrc",
        &format!(
            "set no syslog\nset no bouncemail\ndefaults protocol pop3 uidl keep\n\
             poll pop.example.org via localhost port {}\n\
             user 'alice' with password '{}\\x{:x}' ssl sslcertck sslcertfile '{}'\n\
             mda 'cat >>\"{}\"'\n",
            scene.serving.pop3s.port(),
            &PASSWORD[..PASSWORD.len() - 1],
            PASSWORD.as_bytes()[PASSWORD.len() - 1],
            scene.certificate().display(),
            scene.home().join("heap").display(),
        ),
    );
    let mut command = Command::new("fetchmail");
    command.env("FETCHMAILHOME", scene.home()).args(["--nodetach", "--fetchmailrc"]).arg(&config);
    scene.run("fetchmail", command.arg("--pidfile").arg(scene.home().join("pid")));
    assert!(scene.home().join("heap").exists());
    scene.take_over("fetchmailrc", &config);
}

/// Thunderbird runs on no terminal: its files are written here as it writes them.
#[test]
fn thunderbird_is_left_for_collect_and_nothing_is_fetched_again() {
    let scene = Scene::new();
    let server = |setting: &str| format!("user_pref(\"mail.server.server1.{setting});\n");
    let settings = [
        "type\", \"pop3\"",
        "hostname\", \"localhost\"",
        "userName\", \"alice\"",
        "leave_on_server\", true",
        "directory-rel\", \"[ProfD]Mail/localhost\"",
        &format!("port\", {}", scene.serving.pop3.port()),
    ];
    scene.write("profile/prefs.js", &settings.map(server).concat());
    let unique_id = |file: &PathBuf| -> String {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.split(':').next().unwrap().to_owned()
    };
    let files = maildir::files(&scene.office.maildir("alice"));
    let ids: String = files.iter().map(|file| format!("k {} 1\n", unique_id(file))).collect();
    let list = format!("# POP3 State File\n\n*localhost alice\n{ids}");
    scene.write("profile/Mail/localhost/popstate.dat", &list);
    scene.arrive();
    let said = scene.import("thunderbird", &scene.home().join("profile"), &[]);
    assert_eq!((&said["taken"], &said["seen"]), (&true.into(), &FETCHED.into()), "{said}");
    let note = said["left_out"][0].as_str().unwrap();
    let (_, password_file) = note.split_once("write it to ").unwrap();
    scene.write(password_file, PASSWORD);
    scene.collect();
    scene.collect();
}

const FETCHED: usize = 10;
const NEW: usize = 3;

/// An office with mail for alice, and a home for the programs that fetch it.
struct Scene {
    office: Office,
    serving: Serving,
    /// The Maildir of the other collector.
    old: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let office = Office::with_mail((0..FETCHED).map(message));
        let serving = office.serve();
        let old = office.folder().join("old");
        maildir::create(&old);
        Self { office, serving, old }
    }

    fn home(&self) -> &Path {
        self.office.folder()
    }

    fn certificate(&self) -> &Path {
        &self.serving.certificate
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn run(&self, name: &str, command: &mut Command) -> String {
        command.env("HOME", self.home()).env("LC_ALL", "C");
        let ended = process::run(name, self.home(), command).success(name);
        String::from_utf8(ended.stdout).unwrap()
    }

    /// `restante collect import`; what it said of the account.
    fn import(&self, from: &str, path: &Path, flags: &[&str]) -> serde_json::Value {
        let mut command = restante();
        command.args(["collect", "import", from]).arg(path).arg("--maildir");
        command.arg(self.home().join("new")).arg("--config").arg(self.home().join("a.toml"));
        command.arg("--state").arg(self.home().join("state")).arg("--json").args(flags);
        let said = self.run("import", &mut command);
        assert!(!said.contains(PASSWORD), "{said}");
        serde_json::from_str(&said).unwrap()
    }

    /// New mail.
    fn arrive(&self) {
        for number in FETCHED..FETCHED + NEW {
            let file = self.write("message", &String::from_utf8(message(number)).unwrap());
            self.office.deliver("alice", fs::File::open(file).unwrap()).success("deliver");
        }
    }

    fn take_over(&self, from: &str, path: &Path) {
        self.arrive();
        let said = self.import(from, path, &["--dry-run"]);
        assert_eq!((&said["taken"], &said["seen"]), (&true.into(), &FETCHED.into()), "{said}");
        for written in ["a.toml", "state"] {
            assert!(!self.home().join(written).exists(), "a dry run writes nothing");
        }
        // Twice does no harm.
        for known in [false, true] {
            let said = self.import(from, path, &[]);
            assert_eq!((&said["known"], &said["seen"]), (&known.into(), &FETCHED.into()), "{said}");
        }
        assert!(!fs::read_to_string(self.home().join("a.toml")).unwrap().contains(PASSWORD));
        self.collect();
        self.collect();
    }

    /// After any number of runs the new messages are there once, and all are on the server.
    fn collect(&self) {
        for file in fs::read_dir(self.home()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "password") {
                let mode = fs::metadata(&file).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{}", file.display());
            }
        }
        let mut command = restante();
        command.args(["collect", "--config"]).arg(self.home().join("a.toml"));
        self.run("collect", &mut command);
        let new = (FETCHED..FETCHED + NEW).map(message).collect::<Vec<_>>();
        let stored = maildir::contents(&self.home().join("new"));
        maildir::assert_same_heap(
            &maildir::prints(&stored),
            &maildir::prints(&new),
            "what was collected after the import",
        );
        assert_eq!(maildir::files(&self.office.maildir("alice")).len(), FETCHED + NEW);
    }
}

fn message(number: usize) -> Vec<u8> {
    let from = "From: jane@example.org\nTo: alice@example.org\n";
    format!(
        "{from}Subject: message {number}\nMessage-ID: <{number}@example.org>\n\nText {number}.\n"
    )
    .into_bytes()
}

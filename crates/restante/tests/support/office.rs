//! The office under test: the built binary, a data folder of its own, users with maildrops, and
//! `restante serve` on free ports.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::inotify;

use super::maildir;
use super::process::{self, Ended, Process};

/// The password of every user here.
pub(crate) const PASSWORD: &str = "correct horse";

/// A data folder and what is in it.
#[derive(Debug)]
pub(crate) struct Office {
    folder: tempfile::TempDir,
}

/// A running `restante serve`.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) process: Process,
    /// Clear text, STLS offered.
    pub(crate) pop3: SocketAddr,
    /// Implicit TLS.
    pub(crate) pop3s: SocketAddr,
    /// The certificate the server made for itself, to be trusted.
    pub(crate) certificate: PathBuf,
}

/// A command line of the binary under test.
pub(crate) fn restante() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restante"));
    command.stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command
}

impl Office {
    /// An office with these users, whose maildrops are empty. A password in clear text in the
    /// password file costs a login nothing; the hashes have their own tests.
    pub(crate) fn new(users: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let passwords: String =
            users.iter().map(|user| format!("{user}:{{PLAIN}}{PASSWORD}\n")).collect();
        let file = folder.path().join("data/passwd");
        fs::write(&file, passwords).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let office = Self { folder };
        for user in users {
            maildir::create(&office.maildir(user));
        }
        office
    }

    /// An office with one user, alice, who has this mail.
    pub(crate) fn with_mail<M: AsRef<[u8]>>(messages: impl IntoIterator<Item = M>) -> Self {
        let office = Self::new(&["alice"]);
        maildir::fill(&office.maildir("alice"), messages);
        office
    }

    /// A folder for whatever a test writes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn maildir(&self, user: &str) -> PathBuf {
        self.data().join("mail").join(user).join("Maildir")
    }

    /// `restante serve`, not yet started, without its listeners.
    pub(crate) fn serve_command(&self) -> Command {
        let mut command = restante();
        command.arg("serve").arg("--data").arg(self.data());
        command
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_under(self.serve_command())
    }

    /// Starts the server from a command of which all but the listeners is given.
    pub(crate) fn serve_under(&self, command: Command) -> Serving {
        self.try_serve_under(command).unwrap_or_else(|why| panic!("serve ended: {why}"))
    }

    /// As [`Office::serve_under`], where the server becomes another user who writes its ready file.
    pub(crate) fn serve_as(&self, command: Command, user: u32) -> Serving {
        self.try_serve(command, Some(user)).unwrap_or_else(|why| panic!("serve ended: {why}"))
    }

    /// Starts the server; what it said if it ends before it is ready.
    pub(crate) fn try_serve_under(&self, command: Command) -> Result<Serving, String> {
        self.try_serve(command, None)
    }

    fn try_serve(&self, mut command: Command, user: Option<u32>) -> Result<Serving, String> {
        // Kept as long as the office: the server still syncs the folder when the file is there.
        let ready = tempfile::tempdir_in(self.folder()).unwrap().keep();
        std::os::unix::fs::chown(&ready, user, user).unwrap();
        let file = ready.join("ready.json");
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        let events = inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::ONLYDIR;
        inotify::add_watch(&watch, &ready, events).unwrap();
        command.args(["--listen", "pop3=127.0.0.1:0", "--listen", "pop3s=127.0.0.1:0"]);
        command.arg("--allow-cleartext").arg("--ready-file").arg(&file).stdout(Stdio::null());
        let process = Process::start("serve", self.folder(), &mut command);
        let content = loop {
            if process.ends_before(&watch) {
                return Err(process.complaints());
            }
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(&watch, &mut buffer);
            reader.next().unwrap();
            // An event about a temporary name comes before the one about the file.
            if let Ok(content) = fs::read(&file)
                && let Ok(content) = serde_json::from_slice::<serde_json::Value>(&content)
            {
                break content;
            }
        };
        let address = |listener: &str| content[listener].as_str().unwrap().parse().unwrap();
        Ok(Serving {
            process,
            pop3: address("pop3"),
            pop3s: address("pop3s"),
            certificate: content["certificate"].as_str().unwrap().into(),
        })
    }

    /// Delivers a message with `restante deliver`.
    pub(crate) fn deliver(&self, user: &str, message: impl Into<Stdio>) -> Ended {
        let mut command = restante();
        command.args(["deliver", user, "--data"]).arg(self.data());
        process::run_on("deliver", self.folder(), &mut command, message)
    }
}

/// One account of `restante collect`.
#[derive(Debug, Clone)]
pub(crate) struct Account<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) encryption: &'a str,
    pub(crate) user: &'a str,
    pub(crate) leave: &'a str,
    pub(crate) certificate: &'a Path,
    pub(crate) maildir: &'a Path,
}

impl Account<'_> {
    /// `restante collect` for this account; its files and its state lie in `folder`.
    pub(crate) fn collect_command(&self, folder: &Path) -> Command {
        let password = folder.join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let config = folder.join("collect.toml");
        let (server, port) = ("localhost", self.address.port());
        fs::write(
            &config,
            format!(
                "[[account]]\nname = \"test\"\nserver = {server:?}\nport = {port}\n\
                 encryption = {:?}\nuser = {:?}\npassword_file = {password:?}\nca_file = {:?}\n\
                 timeout_s = 60\nleave = {:?}\nmaildir = {:?}\n",
                self.encryption, self.user, self.certificate, self.leave, self.maildir
            ),
        )
        .unwrap();
        let mut command = restante();
        command.arg("collect").arg("--config").arg(config);
        // Whatever it keeps outside of the Maildir stays in the folder of the test.
        command.env("HOME", folder).env("XDG_STATE_HOME", folder.join("state"));
        command
    }

    /// Runs it.
    pub(crate) fn collect(&self, folder: &Path) -> Ended {
        process::run("collect", folder, &mut self.collect_command(folder))
    }
}

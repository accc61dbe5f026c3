//! A Dovecot of one's own: its folder, its free ports, its certificate, one user with a Maildir.
//! It runs as whoever runs the tests; as root it keeps to the unprivileged users its package
//! made, because it serves no mail to root.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::maildir;
use super::office::PASSWORD;
use super::process::{self, Process};

/// A running Dovecot with one user, alice.
#[derive(Debug)]
pub(crate) struct Dovecot {
    process: Process,
    folder: tempfile::TempDir,
    pub(crate) pop3: SocketAddr,
    pub(crate) pop3s: SocketAddr,
}

impl Dovecot {
    /// Starts it with this mail.
    pub(crate) fn start<M: AsRef<[u8]>>(messages: impl IntoIterator<Item = M>) -> Self {
        Self::start_offering("plain", messages)
    }

    /// Starts it with these mechanisms.
    pub(crate) fn start_offering<M: AsRef<[u8]>>(
        mechanisms: &str,
        messages: impl IntoIterator<Item = M>,
    ) -> Self {
        Self::start_with(mechanisms, "", messages)
    }

    /// The same, with more lines of its configuration.
    pub(crate) fn start_with<M: AsRef<[u8]>>(
        mechanisms: &str,
        more: &str,
        messages: impl IntoIterator<Item = M>,
    ) -> Self {
        process::need("dovecot");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        maildir::fill(&path.join("mail"), messages);
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path.join("cert.pem"), key.cert.pem()).unwrap();
        fs::write(path.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        fs::write(path.join("passwd"), format!("alice:{{PLAIN}}{PASSWORD}\n")).unwrap();

        let (pop3, pop3s) = (free_address(), free_address());
        let identity = Identity::of_this_process();
        if identity.is_root {
            identity.own_all(&path.join("mail"));
        }
        let config = path.join("dovecot.conf");
        let settings = configuration(path, &identity, pop3, pop3s);
        fs::write(&config, format!("auth_mechanisms = {mechanisms}\n{more}{settings}")).unwrap();

        let mut command = Command::new("dovecot");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["-F", "-c"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let log = path.join("log");
        rustix::fs::mkfifoat(rustix::fs::CWD, &log, rustix::fs::Mode::from_raw_mode(0o666))
            .unwrap();
        // Opened for both so that neither side waits for the other.
        let reader = fs::OpenOptions::new().read(true).write(true).open(&log).unwrap();
        let process = Process::start("dovecot", path, &mut command);
        let mut lines = BufReader::new(reader);
        let mut said = String::new();
        loop {
            assert!(
                !process.ends_before(lines.get_ref()),
                "dovecot ended: {said}{}",
                process.complaints()
            );
            let before = said.len();
            lines.read_line(&mut said).unwrap();
            // Its listeners are open before it says so.
            if said[before..].contains("starting up") {
                break;
            }
        }
        // The rest of its log is read so that it never waits for a full pipe.
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                line.clear();
            }
        });
        Self { process, folder, pop3, pop3s }
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Where it keeps alice's mail.
    pub(crate) fn maildir(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// A folder for whatever a test writes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// As whom a mail program runs that refuses to touch mail as root.
pub(crate) struct Identity {
    pub(crate) is_root: bool,
    mail_uid: u32,
    mail_gid: u32,
    user: String,
    group: String,
}

impl Identity {
    pub(crate) fn of_this_process() -> Self {
        let uid = rustix::process::getuid();
        let name = |option| {
            let output = Command::new("id").arg(option).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        if uid.is_root() {
            // Debian's user and group "mail".
            Self {
                is_root: true,
                mail_uid: 8,
                mail_gid: 8,
                user: "dovecot".into(),
                group: "dovecot".into(),
            }
        } else {
            Self {
                is_root: false,
                mail_uid: uid.as_raw(),
                mail_gid: rustix::process::getgid().as_raw(),
                user: name("-un"),
                group: name("-gn"),
            }
        }
    }

    /// Gives a folder and all in it to the user the mail belongs to.
    pub(crate) fn own_all(&self, path: &Path) {
        std::os::unix::fs::chown(path, Some(self.mail_uid), Some(self.mail_gid)).unwrap();
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.own_all(&entry.unwrap().path());
            }
        }
    }
}

fn configuration(path: &Path, identity: &Identity, pop3: SocketAddr, pop3s: SocketAddr) -> String {
    let folder = path.display();
    let Identity { is_root, mail_uid, mail_gid, user, group } = identity;
    let login_user = if *is_root { "dovenull" } else { user };
    // Only root may change the root directory.
    let chroot = if *is_root { "" } else { "chroot =" };
    let (pop3, pop3s) = (pop3.port(), pop3s.port());
    format!(
        "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
protocols = pop3
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {login_user}
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail
mail_uid = {mail_uid}
mail_gid = {mail_gid}
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
pop3_uidl_format = %08Xu%08Xv
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={folder}
}}
# A wrong password costs the test no time.
auth_failure_delay = 0
service anvil {{
  {chroot}
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  {chroot}
}}
service pop3-login {{
  {chroot}
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"
    )
}

/// An address that was free a moment ago: Dovecot cannot say which port it got.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

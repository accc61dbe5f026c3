//! The collectors, each as it is set up to fetch into a Maildir. fetchmail needs a program that
//! stores what it fetched; it has one here that reports a failure to it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::dovecot::Identity;
use crate::support::office::{Account, PASSWORD};
use crate::support::{maildir, process};

/// A program that collects mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Restante,
    Fetchmail,
    Getmail,
    Mpop,
}

impl Tool {
    pub(crate) const OTHERS: [Self; 3] = [Self::Fetchmail, Self::Getmail, Self::Mpop];

    /// Name and version.
    pub(crate) fn version(self) -> String {
        let (program, argument) = match self {
            Self::Restante => return "restante".into(),
            Self::Fetchmail => ("fetchmail", "fetchmail"),
            Self::Getmail => ("getmail", "getmail6"),
            Self::Mpop => ("mpop", "mpop"),
        };
        process::need(program);
        let query = Command::new("dpkg-query").args(["-W", "-f", "${Version}", argument]).output();
        let version = query.map(|Output { stdout, .. }| stdout).unwrap_or_default();
        format!("{argument} {}", String::from_utf8(version).unwrap())
    }

    /// Its command line, with its files in `folder` and its Maildir in `folder/inbox`.
    pub(crate) fn command(self, folder: &Path, port: u16, keep: bool) -> Command {
        let inbox = folder.join("inbox");
        if !inbox.exists() {
            maildir::create(&inbox);
        }
        match self {
            Self::Restante => restante(folder, port, keep),
            Self::Fetchmail => fetchmail(folder, port, keep),
            Self::Getmail => getmail(folder, port, keep),
            Self::Mpop => mpop(folder, port, keep),
        }
    }

    /// Tells it to try again now what has failed, as it would do by itself after five minutes.
    pub(crate) fn hurry(self, command: &mut Command) {
        if self == Self::Restante {
            command.arg("--retry");
        }
    }

    /// Whether it says that all went well. fetchmail has a code for "no mail".
    pub(crate) fn claims_success(self, code: Option<i32>) -> bool {
        code == Some(0) || (self == Self::Fetchmail && code == Some(1))
    }
}

fn restante(folder: &Path, port: u16, keep: bool) -> Command {
    let account = Account {
        address: ([127, 0, 0, 1], port).into(),
        encryption: "none",
        user: "alice",
        leave: if keep { "always" } else { "never" },
        certificate: Path::new(""),
        maildir: &folder.join("inbox"),
    };
    let mut command = account.collect_command(folder);
    let config = folder.join("collect.toml");
    let settings = fs::read_to_string(&config).unwrap();
    let settings = settings.replace("ca_file = \"\"\n", "");
    fs::write(&config, settings.replace("timeout_s = 60", "timeout_s = 5")).unwrap();
    command.arg("--json");
    command
}

fn fetchmail(folder: &Path, port: u16, keep: bool) -> Command {
    let agent = folder.join("agent");
    let inbox = folder.join("inbox");
    let deliver = format!(
        "#!/bin/sh\n# Exits with 75 (try again) unless the message is whole.\n\
         name=$(date +%s.%N).$$\ncd '{}' || exit 75\n\
         cat >\"tmp/$name\" && mv \"tmp/$name\" \"new/$name\" && exit 0\n\
         rm -f \"tmp/$name\"\nexit 75\n",
        inbox.display()
    );
    write(&agent, &deliver, 0o755);
    let config = folder.join("fetchmailrc");
    let keep = if keep { "keep" } else { "no keep" };
    let settings = format!(
        "set no syslog\nset invisible\nset no bouncemail\n\
         poll 127.0.0.1 protocol pop3 uidl port {port} timeout 5\n\
         user 'alice' password '{PASSWORD}' sslproto '' {keep} mda '{}'\n",
        agent.display()
    );
    write(&config, &settings, 0o600);
    let mut command = Command::new("fetchmail");
    command.env("HOME", folder).env("FETCHMAILHOME", folder).env("LC_ALL", "C");
    command.args(["--nodetach", "--fetchmailrc"]).arg(&config);
    command.arg("--pidfile").arg(folder.join("fetchmail.pid"));
    command
}

fn getmail(folder: &Path, port: u16, keep: bool) -> Command {
    let inbox = folder.join("inbox");
    // It stores nothing as root, but changes to another user if it is told to.
    let identity = Identity::of_this_process();
    let mut user = "";
    if identity.is_root {
        identity.own_all(&inbox);
        user = "user = mail\n";
    }
    let settings = format!(
        "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\n\
         username = alice\npassword = {PASSWORD}\ntimeout = 5\n\
         [destination]\ntype = Maildir\npath = {}/\n{user}\
         [options]\nread_all = false\ndelete = {}\nverbose = 0\n",
        inbox.display(),
        !keep
    );
    write(&folder.join("getmailrc"), &settings, 0o600);
    let mut command = Command::new("getmail");
    command.env("HOME", folder).arg("--getmaildir").arg(folder);
    command
}

fn mpop(folder: &Path, port: u16, keep: bool) -> Command {
    let config = folder.join("mpoprc");
    let keep = if keep { "on" } else { "off" };
    let settings = format!(
        "account test\nhost 127.0.0.1\nport {port}\ntls off\nauth user\nuser alice\n\
         password \"{PASSWORD}\"\ntimeout 5\ndelivery maildir {}\nuidls_file {}\nkeep {keep}\n",
        folder.join("inbox").display(),
        folder.join("uidls").display(),
    );
    write(&config, &settings, 0o600);
    let mut command = Command::new("mpop");
    command.env("HOME", folder).arg("--quiet").arg("--file").arg(&config).arg("test");
    command
}

fn write(file: &Path, content: &str, mode: u32) {
    fs::write(file, content).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

//! A saslauthd of one's own that asks PAM, with services of its own instead of the system's
//! (libpam-wrapper) and users in a file (its module pam_matrix).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{self, Process};

/// A running saslauthd.
#[derive(Debug)]
pub(crate) struct Saslauthd {
    process: Process,
    folder: tempfile::TempDir,
}

impl Saslauthd {
    /// Starts one with these users, `name:password` a line, for the service `mail`; the service
    /// `shut` lets nobody in.
    pub(crate) fn start(users: &str) -> Self {
        process::need("saslauthd");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("services")).unwrap();
        let lines = users.lines().map(|line| format!("{line}:mail\n"));
        fs::write(path.join("users"), lines.collect::<String>()).unwrap();
        let matrix = libraries().join("pam_wrapper/pam_matrix.so");
        let matrix = format!("{} passdb={}", matrix.display(), path.join("users").display());
        fs::write(
            path.join("services/mail"),
            format!("auth required {matrix}\naccount required {matrix}\n"),
        )
        .unwrap();
        let shut = "auth required pam_deny.so\naccount required pam_deny.so\n";
        fs::write(path.join("services/shut"), shut).unwrap();
        let process = run(path);
        Self { process, folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("mux")
    }

    pub(crate) fn stop(&mut self) {
        self.process.terminate();
    }
}

fn run(folder: &Path) -> Process {
    let mut server = Command::new("saslauthd");
    server.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    server.env("LD_PRELOAD", libraries().join("libpam_wrapper.so")).env("PAM_WRAPPER", "1");
    server.env("PAM_WRAPPER_SERVICE_DIR", folder.join("services"));
    server.args(["-a", "pam", "-n", "1", "-d", "-m"]).arg(folder);
    server.stdin(Stdio::null()).stdout(Stdio::null());
    let process = Process::start("saslauthd", folder, &mut server);
    process.wait_for("listening on socket", 1);
    process
}

/// Where Debian has libraries of this kind of machine.
fn libraries() -> PathBuf {
    Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

//! A MariaDB of one's own: its folder, its free port, its certificate. It refuses to run as root,
//! so then it runs as nobody.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use super::process::{self, Process};

/// A running MariaDB.
#[derive(Debug)]
pub(crate) struct Mariadb {
    process: Process,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Mariadb {
    /// Starts one in whose database `mail` this SQL, a command a line, was done.
    pub(crate) fn start(sql: &str) -> Self {
        process::need("mariadbd");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let home = path.join("home");
        fs::create_dir(&home).unwrap();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path.join("cert.pem"), key.cert.pem()).unwrap();
        fs::write(home.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        fs::write(path.join("password"), PASSWORD).unwrap();
        let mut init = Command::new("mariadb-install-db");
        init.env("PATH", PATH);
        init.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        init.args(["--skip-test-db", "--skip-name-resolve", "--innodb-flush-method=nosync"]);
        init.arg(format!("--datadir={}", home.join("data").display())).args(user());
        if rustix::process::getuid().is_root() {
            let mut chown = Command::new("chown");
            chown.args(["-R", "nobody"]).arg(&home);
            process::run("chown", path, &mut chown).success("chown");
        }
        process::run("install", path, init.stdout(Stdio::null())).success("mariadb-install-db");
        let first = format!(
            "CREATE DATABASE mail;\nUSE mail;\n{sql}\
             CREATE USER restante@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT SELECT ON mail.* TO restante@'%';\n"
        );
        let file = path.join("first.sql");
        fs::write(&file, first).unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let process = run(path, address, Some(&file));
        Self { process, folder, address }
    }

    pub(crate) fn stop(&mut self) {
        self.process.terminate();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.address, None);
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("home/socket")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Holds the password of the user `restante`.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }
}

fn run(folder: &Path, address: SocketAddr, first: Option<&Path>) -> Process {
    let home = folder.join("home");
    let mut server = Command::new("mariadbd");
    server.env("PATH", PATH).arg("--no-defaults").args(user());
    // Nothing here has to outlive the machine; what comes by the network without TLS is refused.
    server.args(["--innodb-flush-method=nosync", "--innodb-fast-shutdown=2"]);
    server.args(["--bind-address=127.0.0.1", "--require-secure-transport=on"]);
    for (option, path) in [
        ("datadir", home.join("data")),
        ("socket", home.join("socket")),
        ("pid-file", home.join("pid")),
        ("tmpdir", home.clone()),
        ("ssl-cert", folder.join("cert.pem")),
        ("ssl-key", home.join("key.pem")),
    ] {
        server.arg(format!("--{option}={}", path.display()));
    }
    if let Some(file) = first {
        server.arg(format!("--init-file={}", file.display()));
    }
    server.arg(format!("--port={}", address.port())).stdin(Stdio::null()).stdout(Stdio::null());
    let process = Process::start("mariadb", folder, &mut server);
    process.wait_for("ready for connections", 1);
    process
}

/// As whom its programs run.
fn user() -> Option<&'static str> {
    rustix::process::getuid().is_root().then_some("--user=nobody")
}

/// Not everybody has the second.
const PATH: &str = "/usr/bin:/usr/sbin:/bin:/sbin";
const PASSWORD: &str = "secret of the database";

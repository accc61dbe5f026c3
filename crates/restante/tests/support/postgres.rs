//! A PostgreSQL of one's own: its folder, its free port, its certificate. It refuses to run as
//! root, so then it runs as the user its package made.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal};

use super::process::{self, Process};

/// A running PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    process: Process,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Postgres {
    /// Starts one in whose database `postgres` this SQL, a command a line, was done.
    pub(crate) fn start(sql: &str) -> Self {
        process::need("pg_createcluster");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let home = path.join("home");
        fs::create_dir(&home).unwrap();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path.join("cert.pem"), key.cert.pem()).unwrap();
        fs::write(home.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(home.join("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        if rustix::process::getuid().is_root() {
            let (mut owned, mut chown) = (vec![home.clone()], Command::new("chown"));
            owned.push(home.join("key.pem"));
            process::run("chown", path, chown.arg("postgres").args(owned)).success("chown");
        }
        fs::write(path.join("password"), "secret of the database").unwrap();
        let data = home.join("data");
        let mut init = command(&home, "initdb");
        init.args(["--username=restante", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
        init.arg("--pwfile").arg(path.join("password")).arg("--pgdata").arg(&data);
        process::run("initdb", path, init.stdout(Stdio::null())).success("initdb");
        let file = path.join("sql");
        fs::write(&file, sql).unwrap();
        let mut single = command(&home, "postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres");
        let input = fs::File::open(file).unwrap();
        process::run_on("single", path, &mut single, input).success("single");
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let process = run(path, address);
        Self { process, folder, address }
    }

    pub(crate) fn stop(&mut self) {
        // SIGTERM would wait for clients to leave.
        self.process.interrupt();
    }

    /// To the process that lets clients in; those that serve them are not in its group.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.address);
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Holds the password of the user `restante`.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path, address: SocketAddr) -> Process {
    let home = folder.join("home");
    let mut server = command(&home, "postgres");
    let key = home.join("key.pem");
    // Nothing here has to outlive the machine.
    server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "ssl=on"]);
    server.args(["-c", &format!("ssl_cert_file={}", folder.join("cert.pem").display())]);
    server.args(["-c", &format!("ssl_key_file={}", key.display())]);
    server.args(["-p", &address.port().to_string(), "-k"]).arg(&home).arg("-D");
    server.arg(home.join("data")).stdin(Stdio::null()).stdout(Stdio::null());
    let process = Process::start("postgres", folder, &mut server);
    process.wait_for("database system is ready to accept connections", 1);
    process
}

/// One of its programs, of the newest version there is.
fn command(home: &Path, program: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let newest = versions.map(|entry| entry.unwrap().path().join("bin").join(program)).max();
    let program = newest.unwrap();
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(home).env("LC_ALL", "C").env("HOME", home);
    command
}

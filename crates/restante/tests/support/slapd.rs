//! An LDAP directory of one's own, Debian's slapd: its folder, its free ports, its certificate.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::{self, Process};

/// A running slapd.
#[derive(Debug)]
pub(crate) struct Slapd {
    process: Process,
    folder: tempfile::TempDir,
    ldap: SocketAddr,
    ldaps: SocketAddr,
}

impl Slapd {
    /// Starts one with these entries below `dc=example,dc=org`. Passwords are for logging in
    /// alone, all else is for `cn=reader`.
    pub(crate) fn start(entries: &str) -> Self {
        process::need("slapd");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("db")).unwrap();
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path.join("cert.pem"), key.cert.pem()).unwrap();
        fs::write(path.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
        let at = path.display();
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/nis.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
             pidfile {at}/pid\nargsfile {at}/args\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             TLSCertificateFile {at}/cert.pem\nTLSCertificateKeyFile {at}/key.pem\n\
             database mdb\nsuffix dc=example,dc=org\ndirectory {at}/db\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"cn=reader,dc=example,dc=org\" read by anonymous auth by * none\n"
        );
        fs::write(path.join("slapd.conf"), config).unwrap();
        fs::write(path.join("entries"), entries).unwrap();
        let mut add = Command::new("slapadd");
        add.env("PATH", PATH).arg("-f").arg(path.join("slapd.conf"));
        add.arg("-l").arg(path.join("entries")).stdout(Stdio::null());
        process::run("slapadd", path, &mut add).success("slapadd");
        let (ldap, ldaps) = (free_address(), free_address());
        let process = run(path, ldap, ldaps);
        Self { process, folder, ldap, ldaps }
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn stop(&mut self) {
        self.process.terminate();
    }

    pub(crate) fn start_again(&mut self) {
        self.process = run(self.folder.path(), self.ldap, self.ldaps);
    }

    pub(crate) const fn ldap(&self) -> u16 {
        self.ldap.port()
    }

    pub(crate) const fn ldaps(&self) -> u16 {
        self.ldaps.port()
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

fn run(folder: &Path, ldap: SocketAddr, ldaps: SocketAddr) -> Process {
    let mut server = Command::new("slapd");
    server.env("PATH", PATH).arg("-h").arg(format!("ldap://{ldap}/ ldaps://{ldaps}/"));
    server.args(["-d", "stats", "-f"]).arg(folder.join("slapd.conf"));
    let process = Process::start("slapd", folder, server.stdin(Stdio::null()));
    process.wait_for("slapd starting", 1);
    process
}

/// An address that was free a moment ago: slapd cannot say which port it got.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

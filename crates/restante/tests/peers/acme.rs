//! A certificate from Pebble, the test authority of Let's Encrypt, which looks names up at a name
//! server of the test's own and comes to see the proofs on loopback.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::logins::serve;
use crate::support::corpus;
use crate::support::maildir;
use crate::support::office::{Office, PASSWORD, Serving, restante};
use crate::support::process::{self, Process};

/// A running Pebble.
struct Pebble {
    process: Process,
    directory: String,
    management: SocketAddr,
    /// Where it comes to see proofs.
    http01: SocketAddr,
}

impl Pebble {
    /// Certificates are good for this many seconds.
    fn start(office: &Office, validity_s: u32) -> Self {
        process::need("pebble");
        let folder = office.folder();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.join("pebble.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("pebble.key"), made.signing_key.serialize_pem()).unwrap();
        let [acme, management, http01, https] = free_addresses();
        let config = serde_json::json!({"pebble": {
            "listenAddress": acme.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": folder.join("pebble.pem"),
            "privateKey": folder.join("pebble.key"),
            "httpPort": http01.port(),
            "tlsPort": https.port(),
            "certificateValidityPeriod": validity_s,
        }});
        let file = folder.join("pebble.json");
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new("pebble");
        command.arg("-strict").arg("-config").arg(file).arg("-dnsserver").arg(name_server());
        // A tenth of all good nonces is refused, as authorities may at any time.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "10");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start("pebble", folder, &mut command);
        let mut stdout = BufReader::new(process.child().stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("ACME directory available") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{}", process.complaints());
        }
        // It would stop where nobody reads what it says.
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        // It says so before it listens.
        while TcpStream::connect(acme).is_err() || TcpStream::connect(management).is_err() {
            std::thread::yield_now();
        }
        Self { process, directory: format!("https://{acme}/dir"), management, http01 }
    }

    fn config(&self, names: &str) -> String {
        format!(
            "[acme]\nnames = [{names}]\naccept_terms = true\ncontact = \"post@pop.example\"\n\
             directory = \"{}\"\nlisten = \"{}\"\nca = \"pebble.pem\"\n",
            self.directory, self.http01
        )
    }

    /// The root under its certificates, as a file.
    fn root(&self, office: &Office) -> std::path::PathBuf {
        process::need("curl");
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--show-error", "--fail", "--cacert"]);
        command.arg(office.folder().join("pebble.pem"));
        command.arg(format!("https://{}/roots/0", self.management));
        let root = process::run("curl", office.folder(), &mut command).success("the root").stdout;
        let file = office.folder().join("root.pem");
        fs::write(&file, root).unwrap();
        file
    }
}

/// Addresses that nobody has at the moment.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    // All of them at once, so that they differ.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// A name server for which every name is this machine (RFC 1035 section 4).
fn name_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let query = &packet[..length];
            // The question: labels, a zero, type and class.
            let end = 12 + query[12..].iter().position(|&octet| octet == 0).unwrap() + 5;
            let is_a = query[end - 4..end - 2] == [0, 1];
            let mut answer = query[..end].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x80]);
            answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&answer, client).unwrap();
        }
    });
    address
}

/// What curl fetches from `name` with the certificates under `root` alone.
fn fetch(office: &Office, serving: &Serving, root: &std::path::Path, name: &str) -> Vec<u8> {
    let port = serving.pop3s.port();
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--show-error", "--user", &format!("alice:{PASSWORD}")]);
    command.args(["--resolve", &format!("{name}:{port}:127.0.0.1"), "--cacert"]).arg(root);
    command.arg(format!("pop3s://{name}:{port}/1"));
    process::run("curl", office.folder(), &mut command).success("curl").stdout
}

fn check(office: &Office) -> String {
    let mut command = restante();
    command.args(["config", "check", "--config"]).arg(office.folder().join("restante.toml"));
    command.arg("--data").arg(office.data());
    let said = process::run("check", office.folder(), &mut command).success("check");
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn acme_peer_pebble_signs_a_certificate_that_is_kept_for_the_next_start() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let mut pebble = Pebble::start(&office, 90 * 86_400);
    let config = pebble.config("\"pop.example\", \"mail.example\"");
    let serving = serve(&office, &config);
    serving.process.wait_for("a new certificate is in use", 1);
    let root = pebble.root(&office);
    for name in ["pop.example", "mail.example"] {
        let fetched = fetch(&office, &serving, &root, name);
        assert_eq!(fetched, maildir::canonical(&messages[0]));
    }
    for file in ["account.json", "certificate.pem"] {
        let mode =
            fs::metadata(office.data().join("acme").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(check(&office).contains("ACME: the certificate is good until 2"), "{}", check(&office));
    drop(serving);
    pebble.process.kill();
    let serving = serve(&office, &config);
    serving.process.wait_for("looking after the certificate", 1);
    fetch(&office, &serving, &root, "pop.example");
    assert!(!serving.process.complaints().contains("ordering a certificate"));
}

#[test]
fn acme_peer_pebble_renews_while_a_session_goes_on_and_other_names_at_once() {
    let office = Office::with_mail(corpus::messages(1));
    let pebble = Pebble::start(&office, 12);
    let serving = serve(&office, &pebble.config("\"pop.example\""));
    let mut session = crate::support::line::Line::login(serving.pop3, "alice", PASSWORD);
    serving.process.wait_for("a new certificate is in use", 3);
    session.ok("STAT");
    session.ok("QUIT");
    drop(serving);
    let serving = serve(&office, &pebble.config("\"other.example\""));
    serving.process.wait_for("a new certificate is in use", 1);
    fetch(&office, &serving, &pebble.root(&office), "other.example");
}

#[test]
fn acme_peer_pebble_may_be_down_or_find_no_proof_and_the_server_serves() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let mut pebble = Pebble::start(&office, 86_400);
    // The proofs are somewhere else.
    let [elsewhere] = free_addresses();
    let wrong = pebble
        .config("\"pop.example\"")
        .replace(&format!("listen = \"{}\"", pebble.http01), &format!("listen = \"{elsewhere}\""));
    let serving = serve(&office, &wrong);
    serving.process.wait_for("the authority does not accept that pop.example is ours", 1);
    let own = serving.certificate.clone();
    let fetched = fetch(&office, &serving, &own, "localhost");
    assert_eq!(fetched, maildir::canonical(&messages[0]));
    let told = check(&office);
    assert!(told.contains("ACME: there is no certificate yet; 1 failed tries"), "{told}");
    drop(serving);
    // Whoever starts it again does not make it ask again.
    let serving = serve(&office, &wrong);
    serving.process.wait_for("looking after the certificate", 1);
    fetch(&office, &serving, &own, "localhost");
    assert!(!serving.process.complaints().contains("ordering"));
    drop(serving);
    pebble.process.kill();
    let serving = serve(&office, &pebble.config("\"other.example\""));
    serving.process.wait_for("could not get a certificate", 1);
    fetch(&office, &serving, &own, "localhost");
}

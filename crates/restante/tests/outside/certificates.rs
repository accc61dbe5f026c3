//! Certificates of the running server: one for each name, and new ones while it runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::office::{Office, Serving};

type Session = StreamOwned<ClientConnection, TcpStream>;

/// Writes a certificate and its key as certbot does: files of their own, and links to them that
/// are replaced.
fn renew(folder: &Path, name: &str, generation: u32) -> CertificateDer<'static> {
    fs::create_dir_all(folder).unwrap();
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    for (file, text) in
        [("chain.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())]
    {
        let target = folder.join(format!("{generation}-{file}"));
        fs::write(&target, text).unwrap();
        let link = folder.join("new");
        symlink(target.file_name().unwrap(), &link).unwrap();
        replace(&link, &folder.join(file));
    }
    made.cert.der().clone()
}

#[expect(clippy::disallowed_methods, reason = "a link need not survive a power cut in a test")]
fn replace(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

/// A session with the server, if it has a certificate for `name` that `root` stands for.
fn connect(address: SocketAddr, root: &CertificateDer<'static>, name: &str) -> Option<Session> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut session = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    line(&mut session).ok().map(|_| session)
}

fn line(session: &mut Session) -> std::io::Result<String> {
    let (mut line, mut octet) = (Vec::new(), [0]);
    while !line.ends_with(b"\n") {
        session.read_exact(&mut octet)?;
        line.extend(octet);
    }
    Ok(String::from_utf8(line).unwrap())
}

/// A server with a certificate for a.example and one for b.example.
struct Scene {
    serving: Serving,
    folders: [PathBuf; 2],
    roots: [CertificateDer<'static>; 2],
    office: Office,
}

impl Scene {
    fn new() -> Self {
        let office = Office::new(&["alice"]);
        let folders = ["a", "b"].map(|name| office.folder().join("live").join(name));
        let roots = [renew(&folders[0], "a.example", 1), renew(&folders[1], "b.example", 1)];
        let config = office.folder().join("restante.toml");
        let text = "[tls]\ncertificate = \"live/a/chain.pem\"\nkey = \"live/a/key.pem\"\n\
                    [[tls.certificates]]\ncertificate = \"live/b/chain.pem\"\nkey = \"live/b/key.pem\"\n";
        fs::write(&config, text).unwrap();
        let mut command = office.serve_command();
        command.arg("--config").arg(config);
        Self { serving: office.serve_under(command), folders, roots, office }
    }

    fn serves(&self, root: &CertificateDer<'static>, name: &str) -> bool {
        connect(self.serving.pop3s, root, name).is_some()
    }
}

#[test]
fn a_renewed_certificate_is_served_and_an_open_session_goes_on() {
    let scene = Scene::new();
    assert!(scene.serves(&scene.roots[0], "a.example"));
    assert!(scene.serves(&scene.roots[1], "b.example"));
    assert!(!scene.serves(&scene.roots[1], "a.example"));
    let mut open = connect(scene.serving.pop3s, &scene.roots[1], "b.example").unwrap();
    let new = renew(&scene.folders[1], "b.example", 2);
    scene.serving.process.wait_for("a new certificate is in use", 1);
    assert!(scene.serves(&new, "b.example"));
    assert!(!scene.serves(&scene.roots[1], "b.example"));
    assert!(scene.serves(&scene.roots[0], "a.example"), "the other one is what it was");
    open.write_all(b"QUIT\r\n").unwrap();
    assert!(line(&mut open).unwrap().starts_with("+OK"));
    drop(scene.office);
}

/// Goal: a file that is half written, rubbish, gone or of another certificate changes nothing, is
/// reported, and the server takes the next good one.
#[test]
fn a_broken_certificate_changes_nothing() {
    let scene = Scene::new();
    let chain = scene.folders[0].join("1-chain.pem");
    let good = fs::read(&chain).unwrap();
    let other = fs::read(scene.folders[1].join("1-chain.pem")).unwrap();
    let broken = [Some(&good[..good.len() / 2]), Some(b"rubbish"), Some(&other), None];
    for (number, content) in broken.into_iter().enumerate() {
        match content {
            Some(content) => fs::write(&chain, content).unwrap(),
            None => fs::remove_file(&chain).unwrap(),
        }
        scene.serving.process.wait_for("the old certificate stays in use", number + 1);
        assert!(scene.serves(&scene.roots[0], "a.example"), "{number}");
    }
    assert!(scene.serving.process.complaints().contains("live/a/chain.pem"));
    let new = renew(&scene.folders[0], "a.example", 2);
    scene.serving.process.wait_for("a new certificate is in use", 1);
    assert!(scene.serves(&new, "a.example"));
}

/// Goal: SIGHUP reads the files again, whether they changed or not, and ends nothing. Method: a
/// broken file is reported once when it changes and once more for the signal.
#[test]
fn a_hangup_reads_the_certificates_again() {
    let scene = Scene::new();
    fs::write(scene.folders[0].join("1-key.pem"), "rubbish").unwrap();
    scene.serving.process.wait_for("the old certificate stays in use", 1);
    scene.serving.process.hang_up();
    scene.serving.process.wait_for("the old certificate stays in use", 2);
    assert!(scene.serves(&scene.roots[0], "a.example"));
}

//! Certificates that change while the server runs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::sync::Arc;

use restante_server::tls::Certificate;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

mod support;
use support::{Running, Setup, read_lines, send};

/// A certificate as the server and as a client that trusts it have it.
fn make(name: &str) -> (Certificate, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    (certificate, made.cert.der().clone())
}

/// Whether a client that trusts `root` alone is served when it asks for `name`.
async fn trusts(server: &Running, root: &CertificateDer<'static>, name: &str) -> bool {
    connects(server, root, name, &[]).await
}

/// As [`trusts`], for a client that offers these protocols by ALPN.
async fn connects(
    server: &Running,
    root: &CertificateDer<'static>,
    name: &str,
    alpn: &[&[u8]],
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(server.pop3s).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
}

#[tokio::test]
async fn a_new_certificate_is_for_the_next_connection_and_an_open_session_goes_on() {
    let server = Running::start(Setup::default()).await;
    let mut open = server.connect_tls().await;
    read_lines(&mut *open, 1).await;
    let (certificate, root) = make("localhost");
    assert!(!trusts(&server, &root, "localhost").await);
    server.certificates.swap(&certificate, []);
    assert!(trusts(&server, &root, "localhost").await);
    send(&mut *open, b"USER fred\r\nPASS secret\r\nSTAT\r\n").await;
    assert!(read_lines(&mut *open, 3).await.ends_with(b"+OK 0 0\r\n"));
    server.stop().await;
}

#[tokio::test]
async fn each_name_has_its_certificate() {
    let server = Running::start(Setup::default()).await;
    let (a, root_a) = make("a.example");
    let (b, root_b) = make("*.b.example");
    server.certificates.swap(&a, [&b]);
    assert!(trusts(&server, &root_a, "a.example").await);
    assert!(trusts(&server, &root_b, "pop.b.example").await);
    assert!(!trusts(&server, &root_b, "a.example").await);
    assert!(!trusts(&server, &root_a, "pop.b.example").await);
    server.stop().await;
}

#[tokio::test]
async fn s58_no_client_is_turned_away_for_the_protocols_it_offers() {
    let server = Running::start(Setup::default()).await;
    let (certificate, root) = make("localhost");
    server.certificates.swap(&certificate, []);
    for alpn in [&[&b"h2"[..]][..], &[b"pop3"], &[b"imap", b"pop3"]] {
        assert!(connects(&server, &root, "localhost", alpn).await, "{alpn:?}");
    }
    server.stop().await;
}

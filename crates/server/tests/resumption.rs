//! Sessions of TLS are resumed, and forgotten when other clients' certificates are taken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

mod support;
use support::{ClientCertificate, Running, Setup, read_lines, read_to_end, send};

/// A client that keeps what it is given.
fn client(server: &Running, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(server.roots.clone());
    Arc::new(match &server.client {
        Some(ClientCertificate { chain, key, .. }) => {
            config.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap()
        }
        None => config.with_no_client_auth(),
    })
}

/// How the handshake went, how many tickets came, and what `AUTH EXTERNAL =` led to.
async fn connect(server: &Running, client: &Arc<ClientConfig>) -> (HandshakeKind, u32, String) {
    let stream = TcpStream::connect(server.pop3s).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::clone(client)).connect(name, stream).await.unwrap();
    read_lines(&mut stream, 1).await;
    send(&mut stream, b"AUTH EXTERNAL =\r\n").await;
    let said = String::from_utf8(read_lines(&mut stream, 1).await).unwrap();
    send(&mut stream, b"QUIT\r\n").await;
    read_to_end(&mut stream).await;
    let (_, connection) = stream.get_ref();
    (connection.handshake_kind().unwrap(), connection.tls13_tickets_received(), said)
}

#[tokio::test]
async fn sessions_are_resumed_with_one_ticket_a_connection() {
    for (version, tickets) in [(&version::TLS13, 1), (&version::TLS12, 0)] {
        let server = Running::start(Setup::default()).await;
        let client = client(&server, version);
        let first = connect(&server, &client).await;
        assert_eq!((first.0, first.1), (HandshakeKind::Full, tickets));
        for _ in 0..3 {
            let again = connect(&server, &client).await;
            assert_eq!((again.0, again.1), (HandshakeKind::Resumed, tickets));
        }
        server.stop().await;
    }
}

/// A ticket carries the client's certificate, which may have been revoked since.
#[tokio::test]
async fn s55_a_resumed_session_has_its_certificate_until_others_are_taken() {
    for version in [&version::TLS13, &version::TLS12] {
        let certificate = Some(vec!["fred".to_owned()]);
        let server = Running::start(Setup { certificate, ..Setup::default() }).await;
        let client = client(&server, version);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (how, _, said) = connect(&server, &client).await;
            assert_eq!((how, said.get(..4).unwrap()), (kind, "+OK "));
        }
        server.tls.swap_clients(&server.client.as_ref().unwrap().clients()).unwrap();
        assert_eq!(connect(&server, &client).await.0, HandshakeKind::Full);
        server.stop().await;
    }
}

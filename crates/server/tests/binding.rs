//! SCRAM bound to a TLS connection (RFC 9266), with a client that takes the exporter's value from
//! its own end of the connection.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedProtocolVersion, version};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

mod support;
use support::{Running, Setup, read_lines, send};

/// A client on TLS of one version.
struct Client {
    stream: TlsStream<TcpStream>,
    binding: Vec<u8>,
}

impl Client {
    /// Connects with TLS from the first octet.
    async fn implicit(server: &Running, version: &'static SupportedProtocolVersion) -> Self {
        let stream = TcpStream::connect(server.pop3s).await.unwrap();
        let mut client = Self::handshake(server, stream, version).await;
        assert!(client.line().await.starts_with("+OK"));
        client
    }

    async fn by_stls(server: &Running, version: &'static SupportedProtocolVersion) -> Self {
        let mut stream = TcpStream::connect(server.pop3).await.unwrap();
        read_lines(&mut stream, 1).await;
        send(&mut stream, b"STLS\r\n").await;
        read_lines(&mut stream, 1).await;
        Self::handshake(server, stream, version).await
    }

    async fn handshake(
        server: &Running,
        stream: TcpStream,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(server.roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (_, connection) = stream.get_ref();
        let label = b"EXPORTER-Channel-Binding";
        let binding = connection.export_keying_material(vec![0; 32], label, None).unwrap();
        Self { stream, binding }
    }

    async fn line(&mut self) -> String {
        String::from_utf8(read_lines(&mut self.stream, 1).await).unwrap().trim_end().to_owned()
    }

    async fn say(&mut self, line: &str) -> String {
        send(&mut self.stream, format!("{line}\r\n").as_bytes()).await;
        self.line().await
    }

    /// Logs in as fred by SCRAM-SHA-256-PLUS with the binding of some connection; what the server
    /// said last.
    async fn log_in_bound_to(&mut self, binding: &[u8]) -> String {
        let (header, bare) = ("p=tls-exporter,,", "n=fred,r=client");
        let first = STANDARD.encode(format!("{header}{bare}"));
        let challenge = self.say(&format!("AUTH SCRAM-SHA-256-PLUS {first}")).await;
        let server_first = decoded(&challenge);
        let nonce = server_first.split(',').next().unwrap();
        let channel = STANDARD.encode([header.as_bytes(), binding].concat());
        let without_proof = format!("c={channel},{nonce}");
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let proof = proof(&auth_message);
        let said = self.say(&STANDARD.encode(format!("{without_proof},p={proof}"))).await;
        if !said.starts_with("+ ") {
            return said;
        }
        assert!(decoded(&said).starts_with("v="), "{said}");
        self.say("").await
    }
}

fn decoded(challenge: &str) -> String {
    let text = challenge.strip_prefix("+ ").unwrap_or_else(|| panic!("{challenge}"));
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

/// The proof of fred's password, with the salt and count of the tests' user database.
fn proof(auth_message: &str) -> String {
    let mac = |key: &[u8], message: &[u8]| {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes()
    };
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(b"secret", b"salt", 1);
    let client_key = mac(&salted, b"Client Key");
    let signature = mac(&Sha256::digest(client_key), auth_message.as_bytes());
    let proof = client_key.iter().zip(signature).map(|(key, signed)| key ^ signed);
    STANDARD.encode(proof.collect::<Vec<_>>())
}

async fn server() -> Running {
    Running::start(Setup { scram: true, ..Setup::default() }).await
}

#[tokio::test]
async fn s72_a_bound_login_works_on_its_own_connection() {
    let server = server().await;
    for mut client in [
        Client::implicit(&server, &version::TLS13).await,
        Client::by_stls(&server, &version::TLS13).await,
    ] {
        let binding = client.binding.clone();
        let said = client.log_in_bound_to(&binding).await;
        assert!(said.starts_with("+OK 0 messages"), "{said}");
        client.say("QUIT").await;
    }
    server.stop().await;
}

/// Goal: who sits between client and server gets nothing out of passing messages on. Method: the
/// proof is right in all, and nonces are the same on all connections here; only the binding is
/// another connection's.
#[tokio::test]
async fn s72_a_login_bound_to_another_connection_fails() {
    let server = server().await;
    let one = Client::implicit(&server, &version::TLS13).await;
    let mut other = Client::implicit(&server, &version::TLS13).await;
    assert_ne!(one.binding, other.binding);
    for binding in [&one.binding[..], &[0; 32], &[]] {
        let said = other.log_in_bound_to(binding).await;
        assert_eq!(said, "-ERR The channel binding does not fit this connection");
    }
    server.stop().await;
}

#[tokio::test]
async fn s70_a_client_that_was_kept_from_seeing_plus_is_told() {
    let server = server().await;
    let mut client = Client::implicit(&server, &version::TLS13).await;
    let first = STANDARD.encode("y,,n=fred,r=client");
    let said = client.say(&format!("AUTH SCRAM-SHA-256 {first}")).await;
    assert_eq!(said, "-ERR Somebody between us hid that the server offers channel binding");
    server.stop().await;
}

#[tokio::test]
async fn s72_tls_1_2_has_no_binding_and_no_plus() {
    let server = server().await;
    let mut client = Client::implicit(&server, &version::TLS12).await;
    let first = STANDARD.encode("p=tls-exporter,,n=fred,r=client");
    let said = client.say(&format!("AUTH SCRAM-SHA-256-PLUS {first}")).await;
    assert_eq!(said, "-ERR No such mechanism");
    let first = STANDARD.encode("y,,n=fred,r=client");
    let said = client.say(&format!("AUTH SCRAM-SHA-256 {first}")).await;
    assert!(decoded(&said).starts_with("r=client"));
    server.stop().await;
}

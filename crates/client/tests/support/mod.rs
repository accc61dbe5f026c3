//! A scripted server at the other end of a pipe in memory, with or without TLS.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use restante_client::{Encryption, Endpoint, Secret, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};

pub(crate) const HOST: &str = "pop.example.org";

/// What the scripted server does next.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Sends these octets.
    Send(&'static [u8]),
    /// Reads a line and checks it.
    Expect(&'static str),
    /// Lets so many seconds of the paused clock pass.
    Wait(u64),
    /// Begins TLS.
    Tls,
    /// Says nothing more, and keeps the connection open.
    Stall,
}

pub(crate) use Act::{Expect, Send, Stall, Tls, Wait};

/// Everything the client sent before TLS, or without it.
pub(crate) type Cleartext = Vec<u8>;

/// A certificate of its own, and the folder its PEM file is in.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let certificate = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.cert.pem()).unwrap();
        Self { folder, certificate }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key =
            PrivateKeyDer::from_pem_slice(self.certificate.signing_key.serialize_pem().as_bytes());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.cert.der().clone()], key.unwrap())
            .unwrap();
        Arc::new(config).into()
    }
}

pub(crate) fn endpoint(encryption: Encryption, authority: Option<&Authority>) -> Endpoint {
    Endpoint {
        host: HOST.into(),
        port: encryption.default_port(),
        encryption,
        ca_file: authority.map(Authority::ca_file),
        timeout: Duration::from_secs(60),
        octets_per_s_min: Endpoint::OCTETS_PER_S_MIN,
    }
}

pub(crate) fn secret(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

/// Starts a server that follows `script` and, at its end, closes and returns what the client
/// sent in the clear.
pub(crate) fn serve(
    script: Vec<Act>,
    authority: Option<Authority>,
) -> (DuplexStream, JoinHandle<Cleartext>) {
    let (client, server) = duplex(1 << 16);
    (client, tokio::spawn(follow(server, script, authority)))
}

async fn follow(stream: DuplexStream, script: Vec<Act>, authority: Option<Authority>) -> Cleartext {
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let (mut cleartext, mut encrypted) = (Vec::new(), false);
    for act in script {
        match act {
            Send(octets) => {
                if stream.write_all(octets).await.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
            Expect(line) => {
                let mut read = Vec::new();
                while !read.ends_with(b"\r\n") {
                    match stream.read_u8().await {
                        Ok(octet) => read.push(octet),
                        Err(_) => break,
                    }
                }
                if !encrypted {
                    cleartext.extend_from_slice(&read);
                }
                assert_eq!(String::from_utf8(read).unwrap(), format!("{line}\r\n"));
            }
            Tls => {
                let acceptor = authority.as_ref().unwrap().acceptor();
                match acceptor.accept(stream).await {
                    Ok(tls) => stream = Box::new(tls),
                    Err(_) => return cleartext,
                }
                encrypted = true;
            }
            Wait(seconds) => {
                let never = std::future::pending::<()>();
                let _ = tokio::time::timeout(Duration::from_secs(seconds), never).await;
            }
            Stall => std::future::pending().await,
        }
    }
    let mut rest = Vec::new();
    // TLS 1.3 clients say goodbye; whatever comes in the clear counts.
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut rest).await;
    if !encrypted {
        cleartext.extend_from_slice(&rest);
    }
    cleartext
}

//! Certificates that only the test knows.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};

/// A certificate that has signed itself, and a folder with its PEM files.
pub struct Authority {
    folder: tempfile::TempDir,
    certificate: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Authority {
    /// One for a server or a user of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let certificate = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pem = certificate.cert.pem();
        std::fs::write(folder.path().join("ca.pem"), &pem).unwrap();
        let both = pem + &certificate.signing_key.serialize_pem();
        std::fs::write(folder.path().join("both.pem"), both).unwrap();
        Self { folder, certificate }
    }

    /// The certificate, for who is to trust it.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The certificate and its key, for who is to show it.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("both.pem")
    }

    /// A server's side of TLS that shows it.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_for(None)
    }

    /// The same, asking for the client's certificate if there is one that may come.
    #[must_use]
    pub fn acceptor_for(&self, client: Option<&Self>) -> TlsAcceptor {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match client {
            Some(client) => {
                let mut roots = RootCertStore::empty();
                roots.add(client.certificate.cert.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .allow_unauthenticated();
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => config.with_no_client_auth(),
        };
        let key = self.certificate.signing_key.serialize_pem();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let chain = vec![self.certificate.cert.der().clone()];
        Arc::new(config.with_single_cert(chain, key).unwrap()).into()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("folder", &self.folder).finish_non_exhaustive()
    }
}

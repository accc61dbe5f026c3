//! Whom a handshake trusts, and a handshake no one should accept any more.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::Trust;

/// The certificates to trust could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSetupError {
    /// The file with certificates cannot be used.
    #[error("cannot read certificates from {}: {problem}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The cryptographic library could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// What a handshake needs to know.
pub(crate) fn config(trust: &Trust) -> Result<Arc<ClientConfig>, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsSetupError::Setup(error.to_string()))?;
    let builder = match trust {
        Trust::Anyone => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        }
        Trust::System => builder.with_root_certificates(system_roots()),
        Trust::File(path) => {
            let mut roots = system_roots();
            add_file(&mut roots, path)?;
            builder.with_root_certificates(roots)
        }
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsSetupError> {
    let problem = |problem: String| TlsSetupError::CaFile { path: path.to_owned(), problem };
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| problem(error.to_string()))?;
    let mut added = false;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| problem(error.to_string()))?;
        roots.add(certificate).map_err(|error| problem(error.to_string()))?;
        added = true;
    }
    if added { Ok(()) } else { Err(problem("there is no certificate in it".into())) }
}

/// Takes every certificate; whether the server has its key is still checked.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A client's first record that offers TLS 1.1 and nothing newer (RFC 4346 section 7.4.1.2), with
/// the cipher suites servers of its time had.
pub(crate) fn old_hello() -> Vec<u8> {
    let suites = [0xc0, 0x13, 0xc0, 0x14, 0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x35];
    let groups = [0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x17, 0x00, 0x18];
    let points = [0x00, 0x0b, 0x00, 0x02, 0x01, 0x00];
    let mut hello = vec![0x03, 0x02];
    hello.extend_from_slice(&[0x52; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0x00, 12]);
    hello.extend_from_slice(&suites);
    hello.extend_from_slice(&[0x01, 0x00]);
    hello.extend_from_slice(&[0x00, 16]);
    hello.extend_from_slice(&groups);
    hello.extend_from_slice(&points);
    let mut handshake = vec![0x01];
    handshake.extend_from_slice(&length(hello.len(), 3));
    handshake.extend_from_slice(&hello);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend_from_slice(&length(handshake.len(), 2));
    record.extend_from_slice(&handshake);
    record
}

/// A length as TLS writes it, in so many octets.
fn length(octets: usize, width: usize) -> Vec<u8> {
    let all = octets.to_be_bytes();
    all.get(all.len().saturating_sub(width)..).unwrap_or_default().to_vec()
}

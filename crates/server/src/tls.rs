//! TLS for the listeners: certificates with their keys, from PEM, and the configuration that
//! serves them.
//!
//! TLS 1.2 and 1.3 only (RFC 8997). No ALPN: it would turn clients away that offer other names.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

pub use crate::certificates::Certificates;

/// A certificate chain with its private key, which fit together.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(crate) key: Arc<CertifiedKey>,
    /// The names it is for, in lower case; one that begins with `*.` stands for one more label.
    pub(crate) names: Vec<String>,
}

impl Certificate {
    /// Reads a certificate chain and its private key.
    ///
    /// # Errors
    /// [`TlsError`] says which of the two is at fault, and why.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(TlsError::Certificate)?;
        let names = match chain.first() {
            Some(leaf) => names(leaf)?,
            None => return Err(TlsError::Certificate(pem::Error::NoItemsFound)),
        };
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(TlsError::Unusable)?;
        Ok(Self { key: Arc::new(key), names })
    }

    /// The DNS names it is for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// A configuration that serves what `certificates` holds at each handshake.
///
/// # Errors
/// [`TlsError::Unusable`] if the versions and ciphers of this build do not go together.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    // One ticket is enough for a client that opens one connection at a time.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// The DNS names of a certificate; clients look at nothing else (RFC 9525 section 4.1).
fn names(leaf: &CertificateDer<'_>) -> Result<Vec<String>, TlsError> {
    let parsed = webpki::EndEntityCert::try_from(leaf);
    let parsed = parsed.map_err(|error| TlsError::Malformed(Box::new(error)))?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate file is not PEM, or holds no certificate.
    #[error("not a PEM certificate chain")]
    Certificate(#[source] pem::Error),
    /// What the certificate file holds is no certificate of X.509.
    #[error("not an X.509 certificate")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The key file is not PEM, or holds no private key.
    #[error("not a PEM private key")]
    Key(#[source] pem::Error),
    /// The two do not fit together, or the key is of a kind TLS cannot use.
    #[error("the certificate and the key cannot be used")]
    Unusable(#[source] rustls::Error),
}

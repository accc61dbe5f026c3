//! TLS for the listeners: a certificate chain and its key, from PEM.
//!
//! TLS 1.2 and 1.3 only (RFC 8997). No ALPN: it would turn clients away that offer other names.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads a certificate chain and its private key.
///
/// # Errors
/// [`TlsError`] says which of the two is at fault, and why.
pub fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::Certificate(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Unusable)?;
    // One ticket is enough for a client that opens one connection at a time.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate file is not PEM, or holds no certificate.
    #[error("not a PEM certificate chain")]
    Certificate(#[source] pem::Error),
    /// The key file is not PEM, or holds no private key.
    #[error("not a PEM private key")]
    Key(#[source] pem::Error),
    /// The two do not fit together, or the key is of a kind TLS cannot use.
    #[error("the certificate and the key cannot be used")]
    Unusable(#[source] rustls::Error),
}

//! TLS for the listeners: certificates with their keys, from PEM, whose clients' certificates are
//! taken, and the configuration that serves all that.
//!
//! TLS 1.2 and 1.3 only (RFC 8997). No ALPN: it would turn clients away that offer other names. A
//! client is asked for a certificate only where some are taken (RFC 8314 section 4.2). Sessions
//! are resumed by tickets (RFC 5077, RFC 8446), which cost the server no memory; their keys change
//! every 6 hours, and at once when other clients' certificates are taken.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;

pub use crate::certificates::Certificates;
use crate::clients;
pub use crate::clients::{Clients, NameField};

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

/// What the listeners of an office need for TLS.
#[derive(Debug)]
pub struct Tls {
    certificates: Arc<Certificates>,
    config: ArcSwap<ServerConfig>,
    names: Vec<NameField>,
}

impl Tls {
    /// Serves what `certificates` holds at each handshake, and asks no client for a certificate.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] if the versions and ciphers of this build do not go together, or
    /// there is no randomness for the keys of tickets.
    pub fn new(certificates: Arc<Certificates>) -> Result<Self, TlsError> {
        let config = ArcSwap::from(server_config(&certificates, None)?);
        Ok(Self { certificates, config, names: Vec::new() })
    }

    /// The same, which asks clients for a certificate. A client's name is in the first of `names`
    /// that its certificate has.
    ///
    /// # Errors
    /// As [`Tls::new`], and [`TlsError::Clients`].
    pub fn with_clients(
        mut self,
        clients: &Clients,
        names: Vec<NameField>,
    ) -> Result<Self, TlsError> {
        self.swap_clients(clients)?;
        self.names = names;
        Ok(self)
    }

    /// Takes these clients' certificates from the next handshake on; sessions of before cannot be
    /// resumed, as their clients' certificates may have been revoked.
    ///
    /// # Errors
    /// As [`Tls::with_clients`]; nothing changes then.
    pub fn swap_clients(&self, clients: &Clients) -> Result<(), TlsError> {
        self.config.store(server_config(&self.certificates, Some(clients))?);
        Ok(())
    }

    /// For the next handshake.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Whom the certificate that a client showed names; nothing if its time is over.
    pub(crate) fn names(&self, leaf: &CertificateDer<'_>, now: SystemTime) -> Option<Vec<String>> {
        clients::names(leaf, &self.names, now)
    }
}

fn server_config(
    certificates: &Arc<Certificates>,
    clients: Option<&Clients>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let config = match clients {
        Some(clients) => config.with_client_cert_verifier(clients.verifier(provider)?),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_cert_resolver(Arc::<Certificates>::clone(certificates));
    // All of them are strong; scanners want to see that the server has an opinion.
    config.ignore_client_order = true;
    // One ticket is enough for a client that opens one connection at a time.
    config.send_tls13_tickets = 1;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Unusable)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
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
    /// The certificates of those who sign clients' ones, or what they have revoked, cannot be used.
    #[error("{0}")]
    Clients(String),
}

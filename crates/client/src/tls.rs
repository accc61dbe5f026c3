//! TLS with the certificate and the name always checked (RFC 8314, RFC 7817).
//!
//! In: a plain stream and whom it should lead to. Out: an encrypted stream, or a [`TlsError`]
//! that says in one line what is wrong. Nothing turns the checks off; a certificate of one's own
//! is trusted by naming its PEM file. A pin is one more check.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use restante_proto::Secret;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, ConfigBuilder, ProtocolVersion, RootCertStore,
};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::{ClientCertificate, Endpoint, Error, Pin, Step, Stream};

/// An encrypted and authenticated connection could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No authority that is trusted has signed the certificate.
    #[error("the server's certificate is not trusted: no known authority signed it")]
    Untrusted,
    /// The certificate is somebody else's.
    #[error("the server's certificate is not for {host:?}")]
    WrongName {
        /// The name it should be for.
        host: String,
    },
    /// The certificate is too old.
    #[error("the server's certificate has expired")]
    Expired,
    /// The certificate is for later, or the clock here is wrong.
    #[error("the server's certificate is not valid yet")]
    NotValidYet,
    /// The certificate may sign others but not identify a server.
    #[error("the server's certificate is an authority's (CA:TRUE), not a server's")]
    AuthorityAsServer,
    /// Something else is wrong with the certificate.
    #[error("the server's certificate is not acceptable: {0}")]
    BadCertificate(String),
    /// The server does not speak TLS on this port.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server has no version or cipher in common with TLS 1.2 and 1.3.
    #[error("the server and this client have no TLS version or cipher in common: {0}")]
    Incompatible(String),
    /// The server refused the handshake.
    #[error("the server refused the TLS handshake: {0}")]
    Refused(String),
    /// The handshake failed in another way.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The server does not offer `STLS`.
    #[error("the server does not offer STLS, and no password is sent without encryption{0}")]
    NotOffered(String),
    /// The host is neither a name nor an address.
    #[error("{0:?} cannot be a server's name")]
    BadHost(String),
    /// The file with extra certificates cannot be used.
    #[error("cannot read certificates from {}: {problem}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The server's key is none of those pinned.
    #[error("the server's key is not the one pinned: it is {found}")]
    WrongPin {
        /// The pin of the key it has.
        found: String,
    },
    /// The client's own certificate cannot be used.
    #[error("cannot use the client certificate {}: {problem}", path.display())]
    ClientCertificate {
        /// The file with the certificate or the key.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to check a certificate against.
    #[error("no trusted certificate authorities were found on this system")]
    NoRoots,
    /// The cryptographic library could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl TlsError {
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Handshake(_))
    }
}

/// An encrypted stream, and what binds a login to it.
pub(crate) struct Secured {
    pub(crate) stream: Box<dyn Stream>,
    /// RFC 9266. TLS 1.2 would need more than rustls tells to make it unique; there, logins are
    /// not bound.
    pub(crate) binding: Option<Secret<Vec<u8>>>,
}

/// Does the handshake within the endpoint's timeout.
pub(crate) async fn wrap(
    stream: Box<dyn Stream>,
    endpoint: &Endpoint,
    config: Arc<ClientConfig>,
) -> Result<Secured, Error> {
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| TlsError::BadHost(endpoint.host.clone()))?;
    let handshake = TlsConnector::from(config).connect(name, stream);
    match limited(endpoint.timeout, handshake).await? {
        Ok(stream) => {
            let (_, connection) = stream.get_ref();
            check_pin(connection, &endpoint.pins)?;
            let is_bound = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
            let exported = connection.export_keying_material(vec![0; 32], EXPORTER_LABEL, None);
            let binding = exported.ok().filter(|_| is_bound).map(Secret::new);
            Ok(Secured { stream: Box::new(stream), binding })
        }
        Err(error) => Err(explain(error, &endpoint.host)),
    }
}

/// Whether the server has one of the keys, if any are named. Nothing was sent to it yet.
fn check_pin(connection: &ClientConnection, pins: &[Pin]) -> Result<(), TlsError> {
    if pins.is_empty() {
        return Ok(());
    }
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    match certificate.and_then(Pin::of) {
        Some(found) if pins.contains(&found) => Ok(()),
        Some(found) => Err(TlsError::WrongPin { found: found.to_string() }),
        None => Err(TlsError::WrongPin { found: "not readable".to_owned() }),
    }
}

async fn limited<F: Future>(limit: Duration, handshake: F) -> Result<F::Output, Error> {
    // The handshake's state is large and short-lived: keep it out of the session's future.
    timeout(limit, Box::pin(handshake)).await.map_err(|_| Error::Timeout(Step::Handshake))
}

fn explain(error: io::Error, host: &str) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Error::Closed(Step::Handshake);
    }
    let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>())
    else {
        return Error::Io { step: Step::Handshake, source: error };
    };
    Error::Tls(match cause {
        rustls::Error::InvalidCertificate(problem) => explain_certificate(problem, host),
        rustls::Error::InvalidMessage(_) | rustls::Error::PeerSentOversizedRecord => {
            TlsError::NotTls
        }
        rustls::Error::PeerIncompatible(problem) => TlsError::Incompatible(format!("{problem:?}")),
        rustls::Error::AlertReceived(alert) => TlsError::Refused(format!("{alert:?}")),
        _ => TlsError::Handshake(error),
    })
}

fn explain_certificate(problem: &CertificateError, host: &str) -> TlsError {
    match problem {
        // A bad signature is what a name shared with a trusted authority looks like: a server that
        // made itself a new certificate, for one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsError::Untrusted,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsError::WrongName { host: host.to_owned() }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsError::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsError::NotValidYet
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            TlsError::AuthorityAsServer
        }
        other => TlsError::BadCertificate(format!("{other}")),
    }
}

/// What a connection needs to know to check the server, and to show itself.
pub(crate) fn config(endpoint: &Endpoint) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = system_roots().clone();
    if let Some(path) = &endpoint.ca_file {
        add_file(&mut roots, path)?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_root_certificates(roots);
    Ok(Arc::new(match &endpoint.client_certificate {
        Some(files) => show(config, files)?,
        None => config.with_no_client_auth(),
    }))
}

fn show(
    config: ConfigBuilder<ClientConfig, WantsClientCert>,
    files: &ClientCertificate,
) -> Result<ClientConfig, TlsError> {
    let problem = |path: &Path, problem: String| {
        let path = path.to_owned();
        TlsError::ClientCertificate { path, problem }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(&files.certificate, pem_problem(error)))?;
    if chain.is_empty() {
        return Err(problem(&files.certificate, "there is no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| problem(&files.key, pem_problem(error)))?;
    config
        .with_client_auth_cert(chain, key)
        .map_err(|error| problem(&files.certificate, error.to_string()))
}

/// Octets nobody can guess, as the text of a nonce.
pub(crate) fn nonce() -> Result<String, TlsError> {
    let mut octets = [0; 18];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut octets).map_err(|_| TlsError::Setup("no random numbers".to_owned()))?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let problem = |problem: String| TlsError::CaFile { path: path.to_owned(), problem };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| problem(pem_problem(e)))?;
    let mut added = 0_u32;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| problem(pem_problem(error)))?;
        roots.add(certificate).map_err(|error| problem(error.to_string()))?;
        added += 1;
    }
    if added == 0 { Err(problem("there is no certificate in it".into())) } else { Ok(()) }
}

fn pem_problem(error: rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        other => format!("{other}"),
    }
}

/// The system's roots, read once: parsing some 150 certificates for each of many accounts would
/// be the most expensive thing a collector does.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // Some systems ship a certificate that cannot be parsed; the others are still good.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

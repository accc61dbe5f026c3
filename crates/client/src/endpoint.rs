//! Where a server is and how it is spoken to.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Pin, Proxy};

/// A server as an account names it.
///
/// ```
/// use restante_client::{Encryption, Endpoint};
///
/// let mut endpoint = Endpoint::new("pop.example.org", Encryption::Tls);
/// endpoint.ca_file = Some("/etc/ssl/our-own.pem".into());
/// assert_eq!(endpoint.port, 995);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its name or address; the certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// A PEM file with certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Keys one of which the server's certificate must have, besides being good: the one it has
    /// and the one it gets next. Empty: any key will do.
    pub pins: Vec<Pin>,
    /// What is shown to a server that asks for a certificate. Without it, nothing is
    /// (RFC 8314 section 5.5).
    pub client_certificate: Option<ClientCertificate>,
    /// What the connection goes through. The server's name is looked up there, not here.
    pub proxy: Option<Proxy>,
    /// How long the server may take for each step: to connect, to shake hands, for each line, for
    /// each stretch of a body without progress.
    pub timeout: Duration,
    /// What the server must send on the whole, octets a second, or a reply in each quarter of the
    /// timeout; it may be five timeouts behind. 0 is any rate.
    pub octets_per_s_min: u32,
}

impl Endpoint {
    /// An [`Endpoint::octets_per_s_min`] that the slowest lines reach.
    pub const OCTETS_PER_S_MIN: u32 = 100;

    /// A server on its usual port, with a timeout of a minute and nothing out of the ordinary.
    pub fn new(host: impl Into<String>, encryption: Encryption) -> Self {
        Self {
            host: host.into(),
            port: encryption.default_port(),
            encryption,
            ca_file: None,
            pins: Vec::new(),
            client_certificate: None,
            proxy: None,
            timeout: TIMEOUT_DEFAULT,
            octets_per_s_min: Self::OCTETS_PER_S_MIN,
        }
    }
}

/// A certificate of the client's own, and its key, in PEM files that may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate and those that lead to its authority.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How a connection is protected. There is no "if offered": what cannot be had is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte (port 995).
    Tls,
    /// TLS after `STLS` (port 110).
    StartTls,
    /// None: password and mail are readable on the way. Tokens are not sent at all.
    None,
}

impl Encryption {
    /// The port it is usually found on.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Tls => 995,
            Self::StartTls | Self::None => 110,
        }
    }
}

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

//! Where a server is and how it is spoken to.

use std::path::PathBuf;
use std::time::Duration;

/// A server as an account names it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name or address; the certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// A PEM file with certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
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
}

/// How a connection is protected. There is no "if offered": what cannot be had is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte (port 995).
    Tls,
    /// TLS after `STLS` (port 110).
    StartTls,
    /// None: password and mail are readable on the way.
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

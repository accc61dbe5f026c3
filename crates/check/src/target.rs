//! The server that is looked at, and the account to do it with.

use std::path::PathBuf;
use std::time::Duration;

use restante_proto::Secret;

/// A server and a test account.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name or address; the certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub encryption: Encryption,
    /// Whose certificates are good.
    pub trust: Trust,
    /// The test account's name.
    pub user: String,
    /// Its password; it is in no transcript.
    pub password: Secret<Vec<u8>>,
    /// How long a reply may take before it counts as none.
    pub patience: Duration,
    /// Whether rules run that mark messages, and one that deletes the last message.
    pub may_delete: bool,
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all.
    None,
    /// By TLS from the first octet.
    Tls,
    /// By TLS after `STLS`.
    StartTls,
}

/// Whose certificates are good.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those the system trusts.
    System,
    /// Those, and the ones in this PEM file.
    File(PathBuf),
    /// Anybody's: for test servers.
    Anyone,
}

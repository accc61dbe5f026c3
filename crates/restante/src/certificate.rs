//! The server's certificate: PEM files somebody named, or a self-signed one made at first start.
//!
//! In: paths. Out: a TLS configuration and the path of the certificate to trust. What can fail is
//! reading, and files that are no certificate and key; each is one line that names the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use restante_host::{Host, durable};
use restante_server::tls::{self, TlsError};
use rustls::ServerConfig;
use tracing::info;

use crate::config::Config;
use crate::office::read_named;

/// A certificate with its key, ready for use.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// PEM file of the certificate.
    pub(crate) path: PathBuf,
    /// What the listeners need.
    pub(crate) config: Arc<ServerConfig>,
}

impl Certificate {
    /// Loads the certificate the configuration names, or the data folder's own, which is created
    /// when it is missing.
    pub(crate) fn load(host: &Host, config: &Config) -> anyhow::Result<Self> {
        let (path, key) = match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            _ => own(host, &config.data)?,
        };
        let chain = read_named(&*host.fs, &path, OCTETS_MAX)
            .with_context(|| format!("cannot read the certificate {}", path.display()))?;
        let secret = read_named(&*host.fs, &key, OCTETS_MAX)
            .with_context(|| format!("cannot read the key {}", key.display()))?;
        let config = tls::server_config(&chain, &secret).map_err(|error| {
            let at_fault = match error {
                TlsError::Certificate(_) => path.display().to_string(),
                TlsError::Key(_) => key.display().to_string(),
                _ => format!("{} with {}", path.display(), key.display()),
            };
            anyhow::Error::new(error).context(format!("cannot use {at_fault}"))
        })?;
        Ok(Self { path, config })
    }
}

/// The data folder's own certificate and key.
fn own(host: &Host, data: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let folder = data.join("tls");
    let (path, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let missing = |file| matches!(host.fs.stat(file), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    if missing(&path) || missing(&key) {
        let names = names();
        let made = rcgen::generate_simple_self_signed(names.clone())
            .context("cannot make a self-signed certificate")?;
        host.fs
            .create_dir_all(&folder, 0o700)
            .and_then(|()| {
                let secret = made.signing_key.serialize_pem();
                durable::write(&*host.fs, &key, secret.as_bytes(), 0o600)
            })
            .and_then(|()| durable::write(&*host.fs, &path, made.cert.pem().as_bytes(), 0o644))
            .with_context(|| format!("cannot write a certificate to {}", folder.display()))?;
        info!(file = %path.display(), names = names.join(" "), "made a self-signed certificate");
    }
    Ok((path, key))
}

/// What clients may call this machine.
fn names() -> Vec<String> {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    let fit = machine.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if fit && !machine.is_empty() && machine != "localhost" {
        names.insert(0, machine.into_owned());
    }
    names
}

/// Chains have a few kilobytes.
const OCTETS_MAX: u64 = 1024 * 1024;

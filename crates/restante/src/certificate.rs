//! The server's certificates: PEM files somebody named, or a self-signed one made at first start;
//! and whose clients' certificates are taken.
//!
//! In: paths; the one of a certificate that is fetched by ACME may have no file yet. Out: a TLS configuration and the path of the certificate to trust. What can fail is
//! reading, and files that are no certificate and key; each is one line that names the file. At
//! the start that is the end; later the certificate in force stays, whatever the files hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use restante_host::{Host, durable};
use restante_server::tls::{self, Certificate, Clients, Tls, TlsError};
use sha2::{Digest as _, Sha256};
use tracing::{error, info};

use crate::acme;
use crate::config::{self, CertificateFiles, ClientCertificates, Config};
use crate::office::{read_named, resolved};

/// The certificates in force; the first that there is is the default.
#[derive(Debug)]
pub(crate) struct Certificates {
    host: Host,
    pairs: Vec<Pair>,
    served: Arc<tls::Certificates>,
    clients: Option<ClientFiles>,
    tls: Arc<Tls>,
}

/// A certificate with its key, and the files they are from.
#[derive(Debug)]
struct Pair {
    files: CertificateFiles,
    /// Nothing, while it is still to be fetched.
    loaded: Option<Loaded>,
    /// Why the files could not be used the last time, if they could not.
    fault: Option<String>,
}

/// The files that say whose clients' certificates are taken.
#[derive(Debug)]
struct ClientFiles {
    authorities: PathBuf,
    revoked: Option<PathBuf>,
    required: bool,
    /// Of what is in force.
    digest: [u8; 32],
    fault: Option<String>,
}

#[derive(Debug)]
struct Loaded {
    certificate: Certificate,
    /// Of both files; tells whether there is anything new.
    digest: [u8; 32],
}

impl Certificates {
    /// Loads the certificates the configuration names, or the data folder's own, which is created
    /// when it is missing.
    pub(crate) fn load(host: &Host, config: &Config) -> anyhow::Result<Self> {
        let default = match (&config.tls.certificate, &config.tls.key) {
            (Some(certificate), Some(key)) => {
                CertificateFiles { certificate: certificate.clone(), key: key.clone() }
            }
            _ => own(host, &config.data)?,
        };
        let named = [default].into_iter().chain(config.tls.certificates.iter().cloned());
        let mut pairs = named
            .map(|files| Ok(Pair { loaded: Some(Loaded::read(host, &files)?), files, fault: None }))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(files) = acme::files(config) {
            let loaded = Loaded::read(host, &files).ok();
            let fetched = Pair { files, loaded, fault: None };
            // Before a self-signed one, behind one that somebody named.
            let place = usize::from(config.tls.certificate.is_some());
            pairs.insert(place, fetched);
        }
        let mut all = in_force(&pairs);
        let default = all.next().context("there is no certificate")?;
        let served = Arc::new(tls::Certificates::new(default, all));
        let mut tls = Tls::new(Arc::clone(&served))?;
        let mut clients = ClientFiles::named(&config.tls);
        if let Some(files) = &mut clients {
            let (clients, digest) = files.read(host)?;
            let names = config.tls.client_names.clone();
            tls = tls.with_clients(&clients, names).with_context(|| files.context())?;
            files.digest = digest;
        }
        Ok(Self { host: host.clone(), pairs, served, clients, tls: Arc::new(tls) })
    }

    /// What the listeners need.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }

    /// PEM file of the default certificate.
    pub(crate) fn default_file(&self) -> PathBuf {
        let loaded = self.pairs.iter().find(|pair| pair.loaded.is_some());
        loaded.map(|pair| pair.files.certificate.clone()).unwrap_or_default()
    }

    /// The folders in which a change may mean a new certificate: where the named files lie, and
    /// where they lead if they are links.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let files = self.pairs.iter().flat_map(|pair| [&pair.files.certificate, &pair.files.key]);
        let clients = self.clients.iter().flat_map(|files| files.paths());
        files
            .chain(clients)
            .flat_map(|file| [file.clone(), resolved(file)])
            .filter_map(|file| file.parent().map(folder))
            .collect()
    }

    /// Reads all files again and serves what is new and whole from the next handshake on. A file
    /// that cannot be used is reported; what was in force for it stays.
    /// A fault that was reported before is reported again only if `again` says so.
    pub(crate) fn reload(&mut self, again: bool) {
        let mut changed = false;
        for pair in &mut self.pairs {
            let file = pair.files.certificate.display();
            let in_force = pair.loaded.as_ref().map(|loaded| loaded.digest);
            let fault = match Loaded::read(&self.host, &pair.files) {
                Ok(loaded) if Some(loaded.digest) == in_force => None,
                Ok(loaded) => {
                    let names = loaded.certificate.names().collect::<Vec<_>>().join(" ");
                    info!(%file, names, "a new certificate is in use");
                    pair.loaded = Some(loaded);
                    changed = true;
                    None
                }
                // Not fetched yet.
                Err(_) if in_force.is_none() => None,
                Err(cause) => Some(format!("{cause:#}")),
            };
            // The log may lie in a folder that is watched: each line is a change there.
            if let Some(cause) = &fault
                && (again || fault != pair.fault)
            {
                error!(%file, cause, "the old certificate stays in use");
            }
            pair.fault = fault;
        }
        self.reload_clients(again);
        let mut all = in_force(&self.pairs);
        if let (true, Some(default)) = (changed, all.next()) {
            self.served.swap(default, all);
        }
    }

    fn reload_clients(&mut self, again: bool) {
        let Some(files) = &mut self.clients else { return };
        let in_force = files.digest;
        let read = files.read(&self.host).and_then(|(clients, digest)| {
            if digest != in_force {
                self.tls.swap_clients(&clients).with_context(|| files.context())?;
                info!(file = %files.authorities.display(), "new clients' certificates are taken");
            }
            Ok(digest)
        });
        let fault = match read {
            Ok(digest) => {
                files.digest = digest;
                None
            }
            Err(cause) => Some(format!("{cause:#}")),
        };
        if let Some(cause) = &fault
            && (again || fault != files.fault)
        {
            error!(cause, "whose clients' certificates are taken stays as it was");
        }
        files.fault = fault;
    }
}

fn in_force(pairs: &[Pair]) -> impl Iterator<Item = &Certificate> {
    pairs.iter().filter_map(|pair| Some(&pair.loaded.as_ref()?.certificate))
}

impl ClientFiles {
    /// The files of the configuration, if it asks clients for certificates.
    fn named(tls: &config::Tls) -> Option<Self> {
        let required = match tls.client_certificates {
            ClientCertificates::Off => return None,
            ClientCertificates::Optional => false,
            ClientCertificates::Required => true,
        };
        Some(Self {
            authorities: tls.client_ca.clone()?,
            revoked: tls.client_crl.clone(),
            required,
            digest: [0; 32],
            fault: None,
        })
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.authorities].into_iter().chain(&self.revoked)
    }

    fn read(&self, host: &Host) -> anyhow::Result<(Clients, [u8; 32])> {
        let read = |file: &Path| {
            read_named(&*host.fs, file, OCTETS_MAX)
                .with_context(|| format!("cannot read {}", file.display()))
        };
        let authorities = read(&self.authorities)?;
        let revoked = self.revoked.as_deref().map(read).transpose()?;
        let mut digest = Sha256::new().chain_update(Sha256::digest(&authorities));
        if let Some(revoked) = &revoked {
            digest.update(Sha256::digest(revoked));
        }
        let clients = Clients::from_pem(&authorities, revoked.as_deref(), self.required);
        Ok((clients.with_context(|| self.context())?, digest.finalize().into()))
    }

    fn context(&self) -> String {
        let files: Vec<_> = self.paths().map(|file| file.display().to_string()).collect();
        format!("cannot use {}", files.join(" with "))
    }
}

impl Loaded {
    fn read(
        host: &Host,
        CertificateFiles { certificate, key }: &CertificateFiles,
    ) -> anyhow::Result<Self> {
        let chain = read_named(&*host.fs, certificate, OCTETS_MAX)
            .with_context(|| format!("cannot read the certificate {}", certificate.display()))?;
        let secret = read_named(&*host.fs, key, OCTETS_MAX)
            .with_context(|| format!("cannot read the key {}", key.display()))?;
        let digest = Sha256::new()
            .chain_update(Sha256::digest(&chain))
            .chain_update(Sha256::digest(&secret))
            .finalize()
            .into();
        let certificate = Certificate::from_pem(&chain, &secret).map_err(|error| {
            let at_fault = match error {
                TlsError::Certificate(_) | TlsError::Malformed(_) => {
                    certificate.display().to_string()
                }
                TlsError::Key(_) => key.display().to_string(),
                _ => format!("{} with {}", certificate.display(), key.display()),
            };
            anyhow::Error::new(error).context(format!("cannot use {at_fault}"))
        })?;
        Ok(Self { certificate, digest })
    }
}

/// A folder as the system wants it; a bare file name lies in the current one.
fn folder(path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() }
}

/// The data folder's own certificate and key.
fn own(host: &Host, data: &Path) -> anyhow::Result<CertificateFiles> {
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
    Ok(CertificateFiles { certificate: path, key })
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

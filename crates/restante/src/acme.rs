//! The certificate that is fetched by ACME, as the configuration describes it.
//!
//! In: the settings of `[acme]`. Out: what looks after the certificate, bound to the port where
//! the authority asks; the certificate itself is a file that [`crate::certificate`] watches. What
//! can fail is the port, and reading the file of authorities.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use restante_acme::{Challenges, Keeper, Wanted};
use restante_host::Host;
use restante_http::Client;
use restante_server::tls::Certificate;
use tokio::net::TcpListener;

use crate::config::{CertificateFiles, Config};
use crate::office::read_named;

/// What looks after the certificate.
#[derive(Debug)]
pub(crate) struct Acme {
    keeper: Keeper,
    challenges: Challenges,
    listener: TcpListener,
}

impl Acme {
    /// What the configuration asks for, if it does. Needs a tokio runtime around it.
    pub(crate) fn open(
        host: &Host,
        config: &Config,
        door: Option<std::net::TcpListener>,
    ) -> anyhow::Result<Option<Self>> {
        let (Some(wanted), Some(door)) = (wanted(config), door) else { return Ok(None) };
        let acme = &config.acme;
        let listener = door.set_nonblocking(true).and_then(|()| TcpListener::from_std(door));
        let listener = listener.context("cannot listen for HTTP-01")?;
        let ca = match &acme.ca {
            Some(file) => Some(
                read_named(&*host.fs, file, FILE_OCTETS_MAX)
                    .with_context(|| format!("cannot read {}", file.display()))?,
            ),
            None => None,
        };
        let http = Client::new(ca.as_deref(), ANSWER_TIME).context("cannot speak ACME")?;
        let challenges = Challenges::default();
        let folder = wanted.folder.display().to_string();
        let keeper = Keeper::new(host.clone(), http, wanted, challenges.clone(), |pem| {
            Certificate::from_pem(pem, pem).map(drop).map_err(|error| error.to_string())
        });
        let keeper = keeper.with_context(|| format!("cannot make the folder {folder}"))?;
        Ok(Some(Self { keeper, challenges, listener }))
    }

    /// Looks after it. Never ends.
    pub(crate) async fn run(self) {
        tokio::join!(self.challenges.serve(self.listener), self.keeper.run());
    }
}

/// Opens the port where the authority asks, if there is one. Needs no runtime.
pub(crate) fn door(config: &Config) -> anyhow::Result<Option<std::net::TcpListener>> {
    let address = config.acme.listen;
    let door = (!config.acme.names.is_empty()).then(|| std::net::TcpListener::bind(address));
    door.transpose().with_context(|| format!("cannot listen on {address} for HTTP-01"))
}

/// What is wanted of which authority, if anything is.
pub(crate) fn wanted(config: &Config) -> Option<Wanted> {
    let acme = &config.acme;
    (!acme.names.is_empty()).then(|| Wanted {
        directory: acme.directory.clone(),
        contact: acme.contact.clone(),
        names: acme.names.clone(),
        folder: folder(config),
    })
}

/// Where the certificate will be: it has its key in the same file.
pub(crate) fn files(config: &Config) -> Option<CertificateFiles> {
    let file = folder(config).join("certificate.pem");
    let named = !config.acme.names.is_empty();
    named.then(|| CertificateFiles { certificate: file.clone(), key: file })
}

fn folder(config: &Config) -> PathBuf {
    config.data.join("acme")
}

/// For one request to the authority.
const ANSWER_TIME: Duration = Duration::from_secs(30);
const FILE_OCTETS_MAX: u64 = 1024 * 1024;

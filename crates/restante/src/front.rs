//! The server as the configuration describes it: certificates, user database, store, ports.
//!
//! In: an [`Office`]. Out: a bound [`Server`] and what its sessions share; [`Front::serve`] runs
//! it to the end. `serve` and `demo` both stand on it.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use anyhow::Context as _;
use restante_auth::{
    AppPasswordLogins, DisabledLogins, FolderLogins, LoginLimits, Mechanisms, Rehash,
    UserAuthenticator,
};
use restante_host::durable;
use restante_maildrop::{Authenticator, Store};
use restante_server::{Defence, DefenceLimits, Encryption, Listen, Ports, Server};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::acme::{self, Acme};
use crate::certificate::Certificates;
use crate::config::ListenerName;
use crate::directory;
use crate::issuer;
use crate::office::Office;
use crate::renewal::Renewal;
use crate::secret;

/// The server, bound to its ports.
#[derive(Debug)]
pub(crate) struct Front {
    server: Server,
    office: restante_server::Office,
    certificate: PathBuf,
    renewal: Renewal,
    acme: Option<Acme>,
}

/// The open ports, where nobody is served yet.
#[derive(Debug)]
pub(crate) struct Doors {
    ports: Ports,
    /// Where an ACME authority asks.
    acme: Option<std::net::TcpListener>,
}

impl Front {
    /// Opens the ports. Needs no runtime, and what it may need root for is done with it.
    pub(crate) fn ports(office: &Office) -> anyhow::Result<Doors> {
        raise_descriptor_limit();
        let config = &office.config;
        let listen = config.listen.iter().map(|(name, address)| Listen {
            name: name.to_string(),
            encryption: match name {
                ListenerName::Pop3 => Encryption::StartTls,
                ListenerName::Pop3s => Encryption::Implicit,
            },
            address: *address,
            strict: config.strict.contains(name),
            proxies: config.proxies.get(name).cloned().unwrap_or_default(),
        });
        Ok(Doors { ports: Ports::open(listen)?, acme: acme::door(config)? })
    }

    /// Opens everything else the server needs. Needs a tokio runtime around it.
    pub(crate) fn open(office: &Office, doors: Doors) -> anyhow::Result<Self> {
        let (host, config) = (&office.host, &office.config);
        let server = Server::on(doors.ports)?;
        let acme = Acme::open(host, config, doors.acme)?;
        let certificates = Certificates::load(host, config)?;
        let login = &config.login;
        // One thread more than strangers get is for users who have logged in lately.
        let checks = match login.limits.hash_threads {
            0 => available_parallelism().map_or(1, NonZero::get).saturating_sub(1).max(1),
            threads => threads,
        };
        let limits = LoginLimits { hash_threads: checks + 1, ..login.limits };
        let mechanisms = Mechanisms {
            scram: login.scram,
            cram_md5: login.cram_md5,
            apop: login.apop,
            secret: secret::load(host, &config.data)?,
        };
        let users = directory::for_server(office)?;
        let mut authenticator = UserAuthenticator::new(host, users, limits, mechanisms)
            .context("cannot start the threads that check passwords")?;
        if let Some(tokens) = issuer::tokens(host, &config.oauth)? {
            tokens.fetch_ahead();
            authenticator = authenticator.with_tokens(tokens);
        }
        if let Some(scheme) = login.rehash {
            let files = directory::passwd_files(office);
            let rehash = Rehash::new(host.clone(), files, scheme, office.audit("serve"));
            authenticator = authenticator.with_rehash(rehash);
        }
        let mut authenticator: Arc<dyn Authenticator> =
            Arc::new(DisabledLogins::new(Arc::new(authenticator), office.disabled()));
        if let Some(separator) = login.folder_separator {
            authenticator = Arc::new(FolderLogins::new(authenticator, separator));
        }
        authenticator = Arc::new(AppPasswordLogins::new(authenticator, office.app_passwords()));
        let defence = DefenceLimits {
            folder_separator: login.folder_separator,
            // Who waits for a database keeps no processor busy, and nobody else waiting.
            checks: if config.asks_others() { checks + ASKING } else { checks },
            queue: login.limits.queue,
            queue_wait: login.limits.wait,
            ..login.defence.clone()
        };
        let store: Arc<dyn Store> = Arc::new(office.store()?);
        let office = restante_server::Office {
            store,
            authenticator,
            defence: Arc::new(Defence::new(defence, Arc::clone(&host.clock))),
            clock: Arc::clone(&host.clock),
            rng: Arc::clone(&host.rng),
            tls: Some(certificates.tls()),
            allow_cleartext: login.allow_cleartext,
            policy: config.policy.clone(),
            limits: config.limits.clone(),
        };
        let hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
        let certificate = certificates.default_file();
        let renewal = Renewal::new(certificates, hangup);
        Ok(Self { server, office, certificate, renewal, acme })
    }

    /// The open ports.
    pub(crate) fn listening(&self) -> impl Iterator<Item = &Listen> {
        self.server.listening()
    }

    /// PEM file of the certificate clients have to trust.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Writes the bound addresses and the certificate's path to `file`, in one piece.
    pub(crate) fn announce(&self, office: &Office, file: &Path) -> anyhow::Result<()> {
        let mut ready = serde_json::Map::new();
        for listen in self.listening() {
            ready.insert(listen.name.clone(), listen.address.to_string().into());
        }
        // Absolute: who reads the file may stand elsewhere.
        let certificate = std::path::absolute(&self.certificate)
            .with_context(|| format!("where is {}?", self.certificate.display()))?;
        ready.insert("certificate".to_owned(), certificate.to_string_lossy().into());
        let text = format!("{}\n", serde_json::Value::Object(ready));
        durable::write(&*office.host.fs, file, text.as_bytes(), 0o644)
            .with_context(|| format!("cannot write the ready file {}", file.display()))
    }

    /// Serves until `stop` resolves.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) {
        for listen in self.server.listening() {
            info!(listener = listen.name, address = %listen.address, "listening");
        }
        let acme = async {
            match self.acme {
                Some(acme) => acme.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.server.run(self.office, stop) => {}
            () = self.renewal.run() => {}
            () = acme => {}
        }
    }
}

/// Logins of strangers that may wait for databases at once.
const ASKING: usize = 16;

/// Takes as many descriptors as the system lets us have: each connection needs one, and one more
/// while a message is read.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        warn!(%error, "cannot raise the limit of open files");
    }
}

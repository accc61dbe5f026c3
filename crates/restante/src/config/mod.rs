//! The configuration: one TOML file, checked, with a default for everything.
//!
//! In: the file's text. Out: a [`Config`] that needs no further checks, or a [`ConfigError`] that
//! shows every problem with its line, column and a caret. [`setting::SETTINGS`] is the one table
//! of what can be set; reading, checking and `restante config show` all go through it.

mod keys;
mod listener;
mod reading;
mod report;
mod setting;
mod show;
mod users;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use restante_auth::{LoginLimits, NewScheme, ScramOffer};
use restante_host::Fs;
use restante_server::tls::NameField;
use restante_server::{DefenceLimits, IpNet, Limits, Policy};
use restante_spool::{Layout, LayoutError};

use crate::office::read_named;

pub(crate) use listener::{Listen, ListenerName};
pub(crate) use report::{ConfigError, Problem};
pub(crate) use show::{to_json, to_toml};
pub(crate) use users::{Directory, EntryOf, Server, UserKind, UserTable};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The data folder: users, certificate and, unless set elsewhere, mail.
    pub(crate) data: PathBuf,
    /// Whether somebody named the data folder; one that was not named may be created.
    pub(crate) data_is_named: bool,
    /// The user database, where it is not `passwd` in the data folder.
    pub(crate) passwd: Option<PathBuf>,
    /// The user databases, where they are more or others than that file.
    pub(crate) users: Vec<UserTable>,
    /// The audit log, where it is not `audit.jsonl` in the data folder.
    pub(crate) audit: Option<PathBuf>,
    /// Where a user's maildrop lies, with `{data}` and `{user}`.
    pub(crate) maildrop: String,
    /// Whom `serve` becomes once its ports are open.
    pub(crate) user: Option<String>,
    /// That user's group, where it is not its own.
    pub(crate) group: Option<String>,
    /// Who listens where.
    pub(crate) listen: BTreeMap<ListenerName, SocketAddr>,
    /// Which listeners take only what the RFCs have.
    pub(crate) strict: BTreeSet<ListenerName>,
    /// The networks of the proxies in front of listeners.
    pub(crate) proxies: BTreeMap<ListenerName, Vec<IpNet>>,
    /// The certificate.
    pub(crate) tls: Tls,
    /// The certificate that is fetched.
    pub(crate) acme: Acme,
    /// Logins.
    pub(crate) login: Login,
    /// Whose tokens are taken.
    pub(crate) oauth: Oauth,
    /// What `serve` may still do once it runs.
    pub(crate) sandbox: Sandbox,
    /// What is asked of the users.
    pub(crate) policy: Policy,
    /// The folder that deleted messages go to, where they do not just go.
    pub(crate) trash: Option<String>,
    /// Whether a blank line is added to messages whose header has none behind it.
    pub(crate) blank_lines: bool,
    /// How much of everything.
    pub(crate) limits: Limits,
}

/// The certificates; without one named, a self-signed one in the data folder is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// PEM file with the certificate and its chain.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with the private key.
    pub(crate) key: Option<PathBuf>,
    /// Further ones, for clients that ask for their names.
    pub(crate) certificates: Vec<CertificateFiles>,
    /// Whether clients are asked for theirs.
    pub(crate) client_certificates: ClientCertificates,
    /// PEM file with those who sign them.
    pub(crate) client_ca: Option<PathBuf>,
    /// PEM file with what those have revoked.
    pub(crate) client_crl: Option<PathBuf>,
    /// Where a user's name stands in one.
    pub(crate) client_names: Vec<NameField>,
}

/// What is wanted of clients in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientCertificates {
    /// Nothing.
    Off,
    /// A certificate, if they have one.
    Optional,
    /// A certificate.
    Required,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            certificates: Vec::new(),
            client_certificates: ClientCertificates::Off,
            client_ca: None,
            client_crl: None,
            client_names: vec![NameField::Email, NameField::CommonName],
        }
    }
}

/// What `serve` may still do once it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sandbox {
    /// Only the files it needs are reached.
    pub(crate) files: bool,
    /// System calls it never makes are refused.
    pub(crate) calls: bool,
    /// Folders it needs besides those that other settings name.
    pub(crate) paths: Vec<PathBuf>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { files: true, calls: true, paths: Vec::new() }
    }
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateFiles {
    /// PEM file with the certificate and its chain.
    pub(crate) certificate: PathBuf,
    /// PEM file with the private key.
    pub(crate) key: PathBuf,
}

/// The certificate that is fetched by ACME; without names, none is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acme {
    /// The names it is for.
    pub(crate) names: Vec<String>,
    /// Who signs it.
    pub(crate) directory: String,
    /// Their terms are accepted.
    pub(crate) accept_terms: bool,
    /// Where they can write to.
    pub(crate) contact: Option<String>,
    /// Where they come to see that the names are ours.
    pub(crate) listen: SocketAddr,
    /// Authorities for their own server.
    pub(crate) ca: Option<PathBuf>,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            accept_terms: false,
            contact: None,
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80)),
            ca: None,
        }
    }
}

/// How logins are checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Login {
    /// Passwords may be sent without TLS.
    pub(crate) allow_cleartext: bool,
    /// When SCRAM is offered.
    pub(crate) scram: ScramOffer,
    /// What stored passwords are renewed as when their users log in; nothing is not at all.
    pub(crate) rehash: Option<NewScheme>,
    /// Whether CRAM-MD5 is offered.
    pub(crate) cram_md5: bool,
    /// Whether APOP is offered.
    pub(crate) apop: bool,
    /// What parts a user's name from a folder's, where folders can be named.
    pub(crate) folder_separator: Option<char>,
    /// What checking them may take.
    pub(crate) limits: LoginLimits,
    /// What keeps passwords from being guessed.
    pub(crate) defence: DefenceLimits,
}

/// Whose tokens are taken; with neither keys nor an address to ask, nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oauth {
    /// The issuer's public keys (JWKS) in a file.
    pub(crate) jwks: Option<PathBuf>,
    /// Where it publishes them.
    pub(crate) jwks_url: Option<String>,
    /// Where it answers for tokens.
    pub(crate) introspection_url: Option<String>,
    /// Who we are there.
    pub(crate) client_id: Option<String>,
    /// The file with the secret that proves it.
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Authorities for the issuer's server.
    pub(crate) ca: Option<PathBuf>,
    /// The issuer's name.
    pub(crate) issuer: Option<String>,
    /// What tokens must be for.
    pub(crate) audience: Option<String>,
    /// Where they name the user.
    pub(crate) user_claim: String,
    /// The host names clients may have meant.
    pub(crate) hosts: Vec<String>,
    /// The ports.
    pub(crate) ports: Vec<u16>,
    /// Users need not be in the user database.
    pub(crate) any_user: bool,
}

impl Default for Oauth {
    fn default() -> Self {
        Self {
            jwks: None,
            jwks_url: None,
            introspection_url: None,
            client_id: None,
            client_secret_file: None,
            ca: None,
            issuer: None,
            audience: None,
            user_claim: "email".to_owned(),
            hosts: Vec::new(),
            ports: Vec::new(),
            any_user: false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let (data, data_is_named) = default_data();
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            data,
            data_is_named,
            passwd: None,
            users: Vec::new(),
            audit: None,
            maildrop: "{data}/mail/{user}/Maildir".to_owned(),
            user: None,
            group: None,
            listen: [(ListenerName::Pop3, local(1110)), (ListenerName::Pop3s, local(1995))].into(),
            strict: BTreeSet::new(),
            proxies: BTreeMap::new(),
            tls: Tls::default(),
            acme: Acme::default(),
            login: Login::default(),
            oauth: Oauth::default(),
            sandbox: Sandbox::default(),
            policy: Policy::default(),
            trash: None,
            blank_lines: false,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// [`ConfigError`] holds every problem found.
    pub(crate) fn read(fs: &dyn Fs, file: &Path) -> Result<Self, ConfigError> {
        Self::parse(file, &read_text(fs, file)?)
    }

    /// Checks the text of `file`. Paths in it are relative to the folder it lies in.
    ///
    /// # Errors
    /// [`ConfigError`] holds every problem found.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut problems = reading::apply(&mut config, text, file.parent().unwrap_or(file));
        if problems.is_empty() {
            problems.extend(reading::contradictions(&config, text));
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::new(file, text, problems)) }
    }

    /// Where maildrops lie.
    ///
    /// # Errors
    /// [`LayoutError`] says what is wrong with the template.
    pub(crate) fn layout(&self) -> Result<Layout, LayoutError> {
        Layout::parse(&self.maildrop, &self.data)
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> PathBuf {
        self.audit.clone().unwrap_or_else(|| self.data.join("audit.jsonl"))
    }

    /// The user database, if there is one alone and it is a file.
    pub(crate) fn passwd(&self) -> PathBuf {
        self.passwd.clone().unwrap_or_else(|| self.data.join("passwd"))
    }

    /// Whether logins ask other programs, which take their time: for users, or about tokens.
    pub(crate) fn asks_others(&self) -> bool {
        let is_here = |kind: &UserKind| {
            matches!(kind, UserKind::PasswdFile { .. } | UserKind::Static | UserKind::Sqlite { .. })
        };
        let issuer = self.oauth.jwks_url.is_some() || self.oauth.introspection_url.is_some();
        issuer || !self.users().iter().all(|table| is_here(&table.kind))
    }

    /// All user databases, in order.
    pub(crate) fn users(&self) -> Vec<UserTable> {
        match self.users.as_slice() {
            [] => vec![UserTable::passwd_file(self.passwd())],
            users => users.to_vec(),
        }
    }
}

/// The text of a configuration file.
///
/// # Errors
/// [`ConfigError`] when it cannot be read or is not UTF-8.
pub(crate) fn read_text(fs: &dyn Fs, file: &Path) -> Result<String, ConfigError> {
    read_named(fs, file, FILE_OCTETS_MAX)
        .and_then(|text| {
            let not_text = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            String::from_utf8(text).map_err(not_text)
        })
        .map_err(|error| ConfigError::unreadable(file, error))
}

/// The data folder when nobody names one, and whether the environment did.
fn default_data() -> (PathBuf, bool) {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(data) = variable("RESTANTE_DATA") {
        return (data.into(), true);
    }
    let data = match (variable("XDG_DATA_HOME"), variable("HOME")) {
        _ if rustix::process::geteuid().is_root() => "/var/lib/restante".into(),
        (Some(folder), _) => Path::new(&folder).join("restante-data"),
        (None, Some(home)) => Path::new(&home).join(".local/share/restante-data"),
        (None, None) => "/var/lib/restante".into(),
    };
    (data, false)
}

/// A configuration is written by hand; a file larger than this is a mistake.
const FILE_OCTETS_MAX: u64 = 1024 * 1024;

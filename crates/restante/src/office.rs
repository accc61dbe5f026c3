//! What the commands share: the machine, the configuration, and the places they name.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use restante_auth::{AppPasswords, AuditLog, DisabledUsers};
use restante_host::{Fs, Host, durable};
use restante_proto::Secret;
use restante_proto::pop3::WithoutUtf8;
use restante_spool::{Layout, MaildirStore, Spool};

use crate::config::Config;

/// Flags that say which post office is meant.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Post office")]
pub(crate) struct OfficeArgs {
    /// Configuration file [default: $RESTANTE_CONFIG, else none]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data folder: users, certificate and mail [default: $RESTANTE_DATA, else in the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// User database in Dovecot's passwd-file syntax [default: passwd in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) passwd: Option<PathBuf>,
    /// Where a user's maildrop lies [default: {data}/mail/{user}/Maildir]
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) maildrop: Option<String>,
}

impl OfficeArgs {
    /// The configuration file, if there is one.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("RESTANTE_CONFIG").map(PathBuf::from);
        self.config.clone().or_else(named).filter(|file| !file.as_os_str().is_empty())
    }
}

/// The post office a command works for.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    /// The machine.
    pub(crate) host: Host,
    /// What is set.
    pub(crate) config: Config,
}

impl Office {
    /// Reads the configuration and lets the flags override it. Touches nothing.
    pub(crate) fn new(args: &OfficeArgs) -> anyhow::Result<Self> {
        let host = Host::real();
        let mut config = match args.config_file() {
            Some(file) => Config::read(&*host.fs, &file)?,
            None => Config::default(),
        };
        if let Some(data) = &args.data {
            config.data.clone_from(data);
            config.data_is_named = true;
        }
        if args.passwd.is_some() {
            config.passwd.clone_from(&args.passwd);
            config.users.clear();
        }
        if let Some(maildrop) = &args.maildrop {
            config.maildrop.clone_from(maildrop);
        }
        config.layout().with_context(|| format!("maildrop template `{}`", config.maildrop))?;
        Ok(Self { host, config })
    }

    /// Where maildrops lie.
    pub(crate) fn layout(&self) -> anyhow::Result<Layout> {
        Ok(self.config.layout()?)
    }

    /// The store of maildrops.
    pub(crate) fn store(&self) -> anyhow::Result<MaildirStore> {
        let spool = self.spool()?;
        Ok(MaildirStore::on(match self.config.policy.without_utf8 {
            WithoutUtf8::Raw => spool,
            _ => spool.with_surrogates(),
        }))
    }

    /// The same store for callers that block.
    pub(crate) fn spool(&self) -> anyhow::Result<Spool> {
        let spool = Spool::new(self.host.clone(), self.layout()?);
        let Config { trash, blank_lines, .. } = &self.config;
        Ok(spool.with_trash(trash.clone()).with_blank_lines(*blank_lines))
    }

    /// App passwords of the users.
    pub(crate) fn app_passwords(&self) -> AppPasswords {
        let passwd = resolved(&self.config.passwd());
        AppPasswords::new(self.host.clone(), &passwd, &self.config.data)
    }

    /// The users who are turned off.
    pub(crate) fn disabled(&self) -> DisabledUsers {
        DisabledUsers::new(self.host.clone(), &resolved(&self.config.passwd()))
    }

    /// The audit log, for changes that the command `program` makes.
    pub(crate) fn audit(&self, program: &str) -> AuditLog {
        let path = resolved(&self.config.audit());
        let uid = rustix::process::getuid().as_raw();
        let sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
        AuditLog::new(self.host.clone(), path, program, uid, sudo)
    }

    /// Makes sure that the data folder is there. One that somebody named is never created here:
    /// a typing error or a disk that is not mounted must not open an empty post office.
    pub(crate) fn require_data(&self) -> anyhow::Result<()> {
        let data = &self.config.data;
        // The dot makes a link to a folder count as the folder.
        match self.host.fs.stat(&data.join(".")) {
            Ok(stat) if stat.is_dir => Ok(()),
            Ok(_) => anyhow::bail!("the data folder {} is not a folder", data.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => anyhow::bail!(
                "there is no data folder {}; create it with `restante user add NAME --data {}`",
                data.display(),
                data.display()
            ),
            Err(error) => Err(error).with_context(|| format!("data folder {}", data.display())),
        }
    }

    /// Creates the data folder, for its owner alone.
    pub(crate) fn create_data(&self) -> anyhow::Result<()> {
        let data = &self.config.data;
        let created = self.host.fs.create_dir_all(data, 0o700);
        created.with_context(|| format!("cannot create the data folder {}", data.display()))
    }
}

/// Reads a file that an administrator named, which may well be a link.
pub(crate) fn read_named(fs: &dyn Fs, file: &Path, octets_max: u64) -> io::Result<Vec<u8>> {
    durable::read(fs, &resolved(file), octets_max)
}

/// The first line of a file that an administrator named: a secret, which must be there.
pub(crate) fn read_secret(fs: &dyn Fs, file: &Path) -> anyhow::Result<Secret<String>> {
    let text = String::from_utf8(read_named(fs, file, SECRET_FILE_OCTETS_MAX)?)?;
    let line = text.lines().next().unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), "its first line is empty");
    Ok(Secret::new(line.to_owned()))
}

/// Where a path that an administrator named leads. The seam to the file system follows no links,
/// as it guards folders that others can write to; here they are the administrator's own.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Only the first line counts.
const SECRET_FILE_OCTETS_MAX: u64 = 64 * 1024;

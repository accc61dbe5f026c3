//! `restante user`: the user database, app passwords, who is turned off, and what was changed.
//!
//! Each command that changes something records it in the audit log, which is opened first: what
//! could not be recorded is not changed.

mod app_password;
mod list;
mod log;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use restante_auth::{Audit, AuditLog, EditError, NewScheme, Passwd, PasswdFile};
use restante_maildrop::Owner;

use crate::directory;
use crate::office::{Office, OfficeArgs};
use crate::password;

/// Flags of `restante user`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    restante user add fred --data /srv/mail\n  \
    restante user app-password add fred --label phone --expires 90d --data /srv/mail\n  \
    echo secret | restante user passwd fred --password-stdin --data /srv/mail")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Add a user; creates the data folder and the user database where missing
    Add(NewPassword),
    /// Give a user another password
    Passwd(NewPassword),
    /// Remove a user with all app passwords; the mail stays
    Remove(Name),
    /// Keep a user from fetching mail; it goes on coming
    Disable(Name),
    /// Let a user fetch mail again
    Enable(Name),
    /// Passwords for one program each
    #[command(subcommand)]
    AppPassword(app_password::Action),
    /// List the users
    List(list::Args),
    /// Show who changed what, the oldest first
    Log(log::Args),
}

#[derive(Debug, clap::Args)]
struct Name {
    /// The user
    name: String,
    #[command(flatten)]
    office: OfficeArgs,
}

#[derive(Debug, clap::Args)]
struct NewPassword {
    /// The user
    name: String,
    /// Take the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// How the password is stored; SCRAM is offered once all users' passwords allow it
    #[arg(long, value_enum, value_name = "SCHEME", default_value_t = Scheme::Argon2id)]
    scheme: Scheme,
    #[command(flatten)]
    office: OfficeArgs,
}

/// How a password is stored.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Scheme {
    /// A hash that is slow to guess from
    Argon2id,
    /// Keys that let the user log in by SCRAM-SHA-256, without sending the password
    #[value(name = "scram-sha-256")]
    ScramSha256,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Argon2id => "ARGON2ID",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }
}

impl From<Scheme> for NewScheme {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Argon2id => Self::Argon2id,
            Scheme::ScramSha256 => Self::ScramSha256,
        }
    }
}

/// Changes or shows the user database.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match args.action {
        Action::Add(args) => {
            let office = Office::new(&args.office)?;
            let password = password::ask(args.password_stdin)?;
            office.create_data()?;
            let log = office.audit("user add");
            let audit = open(&log)?;
            let users = directory::passwd_file(&office)?.with_scheme(args.scheme.into());
            let owner = named(&users, users.add(&args.name, &password))?;
            record(audit, "add", &owner, &[("scheme", args.scheme.as_str())])?;
            writeln!(out, "added {owner}; mail lies in {}", maildrop(&office, &owner))?;
        }
        Action::Passwd(args) => {
            let office = Office::new(&args.office)?;
            office.require_data()?;
            let password = password::ask(args.password_stdin)?;
            let log = office.audit("user passwd");
            let audit = open(&log)?;
            let users = directory::passwd_file(&office)?.with_scheme(args.scheme.into());
            let owner = named(&users, users.set_password(&args.name, &password))?;
            record(audit, "passwd", &owner, &[("scheme", args.scheme.as_str())])?;
            writeln!(out, "changed the password of {owner}")?;
        }
        Action::Remove(args) => {
            let office = Office::new(&args.office)?;
            office.require_data()?;
            let log = office.audit("user remove");
            let audit = open(&log)?;
            let users = directory::passwd_file(&office)?;
            let owner = known(&office, &args.name)?;
            // First what a new user of that name must not come into.
            let app_passwords = office.app_passwords();
            let path = || app_passwords.path().display().to_string();
            app_passwords.remove_all(&owner).with_context(path)?;
            let disabled = office.disabled();
            disabled.set(&owner, false).with_context(|| disabled.path().display().to_string())?;
            let owner = named(&users, users.remove(&args.name))?;
            record(audit, "remove", &owner, &[])?;
            writeln!(out, "removed {owner}; the mail stays in {}", maildrop(&office, &owner))?;
        }
        Action::Disable(args) => switch(&args, true, &mut out)?,
        Action::Enable(args) => switch(&args, false, &mut out)?,
        Action::AppPassword(action) => app_password::run(action, &mut out)?,
        Action::List(args) => list::run(&args, &mut out)?,
        Action::Log(args) => log::run(&args, &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Turns a user off or on.
fn switch(args: &Name, off: bool, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let office = Office::new(&args.office)?;
    office.require_data()?;
    let (action, done) = if off { ("disable", "disabled") } else { ("enable", "enabled") };
    let log = office.audit(&format!("user {action}"));
    let audit = open(&log)?;
    let owner = known(&office, &args.name)?;
    let disabled = office.disabled();
    let changed = disabled.set(&owner, off);
    if changed.with_context(|| disabled.path().display().to_string())? {
        record(audit, action, &owner, &[])?;
        writeln!(out, "{done} {owner}")?;
    } else {
        writeln!(out, "{owner} was {done} already")?;
    }
    Ok(())
}

/// Opens the audit log for a change about to be made.
fn open(log: &AuditLog) -> anyhow::Result<Audit<'_>> {
    let path = log.path().display();
    log.open().with_context(|| format!("nothing was changed: cannot write the audit log {path}"))
}

/// Records a change that was made.
fn record(
    audit: Audit<'_>,
    action: &str,
    owner: &Owner,
    details: &[(&str, &str)],
) -> anyhow::Result<()> {
    let recorded = audit.record(action, owner.as_str(), details);
    recorded.context("the change was made, but cannot be recorded in the audit log")
}

/// The users; none when there is no user database yet.
fn read(users: &PasswdFile) -> anyhow::Result<Passwd> {
    match users.read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Passwd::default()),
        other => other.with_context(|| format!("cannot read {}", users.path().display())),
    }
}

/// The user of that name, who must be known to one of the databases.
fn known(office: &Office, name: &str) -> anyhow::Result<Owner> {
    let owner = Owner::new(name)?;
    match directory::for_delivery(office)?.find(&owner).context("cannot look the user up")? {
        Some(record) => Ok(record.account.owner),
        None => Err(EditError::NoUser(owner).into()),
    }
}

/// Errors with the file they are about.
fn named<T>(users: &PasswdFile, result: Result<T, EditError>) -> anyhow::Result<T> {
    result.with_context(|| users.path().display().to_string())
}

fn maildrop(office: &Office, owner: &Owner) -> String {
    match office.layout().and_then(|layout| Ok(layout.maildrop(owner)?)) {
        Ok(path) => path.display().to_string(),
        Err(error) => format!("no place: {error}"),
    }
}

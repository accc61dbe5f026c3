//! `restante user`: the user database.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use restante_auth::{NewScheme, Passwd, PasswdFile};
use restante_maildrop::Owner;

use crate::directory;
use crate::office::{Office, OfficeArgs};
use crate::password;

/// Flags of `restante user`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    restante user add fred --data /srv/mail\n  \
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
    /// Remove a user; the mail stays
    Remove {
        /// The user
        name: String,
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// List the users
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        office: OfficeArgs,
    },
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
            let users = directory::passwd_file(&office)?.with_scheme(args.scheme.into());
            let owner = edit(&users, |users| Ok(users.add(&args.name, &password)?))?;
            writeln!(out, "added {owner}; mail lies in {}", maildrop(&office, &owner))?;
        }
        Action::Passwd(args) => {
            let office = Office::new(&args.office)?;
            office.require_data()?;
            let password = password::ask(args.password_stdin)?;
            let users = directory::passwd_file(&office)?.with_scheme(args.scheme.into());
            let owner = edit(&users, |users| Ok(users.set_password(&args.name, &password)?))?;
            writeln!(out, "changed the password of {owner}")?;
        }
        Action::Remove { name, office } => {
            let office = Office::new(&office)?;
            office.require_data()?;
            let owner = edit(&directory::passwd_file(&office)?, |users| Ok(users.remove(&name)?))?;
            writeln!(out, "removed {owner}; the mail stays in {}", maildrop(&office, &owner))?;
        }
        Action::List { json, office } => {
            let office = Office::new(&office)?;
            office.require_data()?;
            let passwd = read(&directory::passwd_file(&office)?)?;
            for fault in passwd.faults() {
                tracing::warn!(line = fault.line, problem = fault.problem, "user database");
            }
            if json {
                writeln!(out, "{:#}", as_json(&office, &passwd))?;
            } else {
                for user in passwd.users() {
                    match &user.password {
                        Ok(hash) if user.may_log_in => {
                            writeln!(out, "{}\t{}", user.owner, hash.scheme())?;
                        }
                        _ => writeln!(out, "{}\tcannot log in", user.owner)?,
                    }
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The users; none when there is no user database yet.
fn read(users: &PasswdFile) -> anyhow::Result<Passwd> {
    match users.read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Passwd::default()),
        other => other.with_context(|| format!("cannot read {}", users.path().display())),
    }
}

/// Changes the file and leaves it to whom it belonged, with the permissions it had: the server
/// must be able to read what root has edited, also where only its group lets it. A new file
/// belongs to the owner of its folder.
fn edit(
    users: &PasswdFile,
    change: impl FnOnce(&PasswdFile) -> anyhow::Result<Owner>,
) -> anyhow::Result<Owner> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let path = users.path();
    let permissions = std::fs::metadata(path).map(|file| file.permissions());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let before = std::fs::metadata(path)
        .or_else(|_| std::fs::metadata(folder.unwrap_or_else(|| Path::new("."))));
    let owner = change(users).with_context(|| path.display().to_string())?;
    if rustix::process::geteuid().is_root()
        && let Ok(before) = before
        && (before.uid(), before.gid()) != (0, 0)
    {
        for path in [path, &users.lock_path()] {
            chown(path, Some(before.uid()), Some(before.gid()))
                .with_context(|| format!("cannot give {} to its owner", path.display()))?;
        }
    }
    // After the change of owner: the group that may read it is the right one then.
    if let Ok(permissions) = permissions {
        std::fs::set_permissions(path, permissions)
            .with_context(|| format!("cannot set the permissions of {}", path.display()))?;
    }
    Ok(owner)
}

fn maildrop(office: &Office, owner: &Owner) -> String {
    match office.layout().and_then(|layout| Ok(layout.maildrop(owner)?)) {
        Ok(path) => path.display().to_string(),
        Err(error) => format!("no place: {error}"),
    }
}

fn as_json(office: &Office, passwd: &Passwd) -> serde_json::Value {
    let user = |user: &restante_auth::User| {
        let (scheme, problem) = match &user.password {
            Ok(hash) if user.may_log_in => (Some(hash.scheme()), None),
            Ok(hash) => (Some(hash.scheme()), Some("nologin".to_owned())),
            Err(error) => (None, Some(error.to_string())),
        };
        let problem = user.no_place.clone().or(problem);
        serde_json::json!({
            "name": user.owner.as_str(),
            "scheme": scheme,
            "problem": problem,
            "maildrop": maildrop(office, &user.owner),
        })
    };
    passwd.users().iter().map(user).collect()
}

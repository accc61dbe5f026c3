//! `restante user app-password`.

use std::io::Write;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use restante_auth::{AppPassword, Scope, time_from_text, time_to_text};
use serde_json::{Value, json};

use super::{known, open, record};
use crate::office::{Office, OfficeArgs};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Action {
    /// Make an app password; it is shown once
    Add {
        /// The user
        name: String,
        /// What to call it: the program or the device it is for
        #[arg(long)]
        label: String,
        /// What it opens
        #[arg(long, value_enum, value_delimiter = ',', default_value = "pop")]
        scope: Vec<ScopeArg>,
        /// When it ends: 2027-01-31, 2027-01-31T12:00:00Z or 90d [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// List app passwords
    List {
        /// Only this user's
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        office: OfficeArgs,
    },
    /// Take an app password back
    Remove {
        /// The user
        name: String,
        /// What it is called
        label: String,
        #[command(flatten)]
        office: OfficeArgs,
    },
}

/// What an app password opens.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum ScopeArg {
    /// Fetching mail
    Pop,
    /// Handing mail in
    Lmtp,
}

impl From<ScopeArg> for Scope {
    fn from(scope: ScopeArg) -> Self {
        match scope {
            ScopeArg::Pop => Self::Pop,
            ScopeArg::Lmtp => Self::Lmtp,
        }
    }
}

/// Makes, lists or removes.
pub(super) fn run(action: Action, out: &mut impl Write) -> anyhow::Result<()> {
    match action {
        Action::Add { name, label, scope, expires, json, office } => {
            let office = Office::new(&office)?;
            office.require_data()?;
            let expires = expires.map(|text| time(&office, &text)).transpose()?;
            let log = office.audit("user app-password add");
            let audit = open(&log)?;
            let owner = known(&office, &name)?;
            let scope: Vec<Scope> = scope.into_iter().map(Into::into).collect();
            let app_passwords = office.app_passwords();
            let made = app_passwords.add(&owner, &label, &scope, expires);
            let path = || app_passwords.path().display().to_string();
            let (made, secret) = made.with_context(path)?;
            let ends = made.expires.map_or_else(|| "never".to_owned(), time_to_text);
            let scope = names(&made).join(",");
            let details = [("label", made.label.as_str()), ("scope", &scope), ("expires", &ends)];
            record(audit, "app-password-add", &owner, &details)?;
            if json {
                let mut shown = as_json(&office, &made, None);
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("secret".to_owned(), secret.expose().as_str().into());
                }
                writeln!(out, "{shown:#}")?;
            } else {
                writeln!(
                    out,
                    "{}   (the app password {label} of {owner}, shown this once)",
                    secret.expose()
                )?;
            }
        }
        Action::List { name, json, office } => {
            let office = Office::new(&office)?;
            office.require_data()?;
            let app_passwords = office.app_passwords();
            let all = app_passwords.list();
            let all = all.with_context(|| app_passwords.path().display().to_string())?;
            let wanted = |entry: &AppPassword| {
                name.as_ref().is_none_or(|name| entry.owner.as_str() == name.as_str())
            };
            let all = all.iter().filter(|(entry, _)| wanted(entry));
            if json {
                let all: Value = all.map(|(entry, used)| as_json(&office, entry, *used)).collect();
                writeln!(out, "{all:#}")?;
            } else {
                for (entry, used) in all {
                    writeln!(out, "{}", line(&office, entry, *used))?;
                }
            }
        }
        Action::Remove { name, label, office } => {
            let office = Office::new(&office)?;
            office.require_data()?;
            let log = office.audit("user app-password remove");
            let audit = open(&log)?;
            let owner = known(&office, &name)?;
            let app_passwords = office.app_passwords();
            let removed = app_passwords.remove(&owner, &label);
            removed.with_context(|| app_passwords.path().display().to_string())?;
            record(audit, "app-password-remove", &owner, &[("label", &label)])?;
            writeln!(out, "removed the app password {} of {owner}", label.escape_debug())?;
        }
    }
    Ok(())
}

/// A point in time, or days from now.
fn time(office: &Office, text: &str) -> anyhow::Result<SystemTime> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    let from_now = days.and_then(|days| {
        let span = Duration::from_secs(u64::from(days) * DAY_S);
        office.host.clock.wall().checked_add(span)
    });
    from_now.or_else(|| time_from_text(text)).with_context(|| {
        format!("`{text}` is no time: write 2027-01-31, 2027-01-31T12:00:00Z or 90d")
    })
}

fn names(entry: &AppPassword) -> Vec<&'static str> {
    entry.scope.iter().map(|scope| scope.as_str()).collect()
}

fn line(office: &Office, entry: &AppPassword, used: Option<SystemTime>) -> String {
    let or_never = |time: Option<SystemTime>| time.map_or_else(|| "never".to_owned(), time_to_text);
    let over = if entry.is_over(office.host.clock.wall()) { " (over)" } else { "" };
    format!(
        "{}\t{}\t{}\tcreated {}\texpires {}{over}\tlast used {}",
        entry.owner,
        entry.label.escape_debug(),
        names(entry).join(","),
        time_to_text(entry.created),
        or_never(entry.expires),
        or_never(used),
    )
}

fn as_json(office: &Office, entry: &AppPassword, used: Option<SystemTime>) -> Value {
    json!({
        "user": entry.owner.as_str(),
        "label": entry.label,
        "scope": names(entry),
        "created": time_to_text(entry.created),
        "expires": entry.expires.map(time_to_text),
        "expired": entry.is_over(office.host.clock.wall()),
        "last_used": used.map(time_to_text),
    })
}

const DAY_S: u64 = 24 * 60 * 60;

//! `restante user list`.

use std::io::Write;

use restante_auth::{Passwd, User};

use super::{maildrop, read};
use crate::directory;
use crate::office::{Office, OfficeArgs};

/// Flags of `restante user list`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    office: OfficeArgs,
}

/// Lists the users, one a line: name, scheme, and whether they are turned off.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let office = Office::new(&args.office)?;
    office.require_data()?;
    let passwd = read(&directory::passwd_file(&office)?)?;
    for fault in passwd.faults() {
        tracing::warn!(line = fault.line, problem = fault.problem, "user database");
    }
    if args.json {
        writeln!(out, "{:#}", as_json(&office, &passwd)?)?;
        return Ok(());
    }
    for user in passwd.users() {
        let scheme = match &user.password {
            Ok(hash) if user.may_log_in => hash.scheme(),
            _ => "cannot log in",
        };
        let disabled = if is_disabled(&office, user)? { "\tdisabled" } else { "" };
        writeln!(out, "{}\t{scheme}{disabled}", user.owner)?;
    }
    Ok(())
}

fn as_json(office: &Office, passwd: &Passwd) -> anyhow::Result<serde_json::Value> {
    let user = |user: &User| {
        let (scheme, problem) = match &user.password {
            Ok(hash) if user.may_log_in => (Some(hash.scheme()), None),
            Ok(hash) => (Some(hash.scheme()), Some("nologin".to_owned())),
            Err(error) => (None, Some(error.to_string())),
        };
        let problem = user.no_place.clone().or(problem);
        Ok(serde_json::json!({
            "name": user.owner.as_str(),
            "scheme": scheme,
            "problem": problem,
            "disabled": is_disabled(office, user)?,
            "maildrop": maildrop(office, &user.owner),
        }))
    };
    passwd.users().iter().map(user).collect()
}

fn is_disabled(office: &Office, user: &User) -> anyhow::Result<bool> {
    Ok(office.disabled().contains(user.owner.as_str())?)
}

//! `restante user log`: what the audit log says.

use std::io::Write;

use anyhow::Context as _;
use restante_auth::Change;

use crate::office::{Office, OfficeArgs};

/// Flags of `restante user log`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only changes about this user
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    office: OfficeArgs,
}

/// Shows the changes, the oldest first.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    let office = Office::new(&args.office)?;
    office.require_data()?;
    let log = office.audit("user log");
    let path = log.path().display();
    let (changes, others) = log.read().with_context(|| format!("cannot read {path}"))?;
    if others > 0 {
        tracing::warn!(path = %path, lines = others, "lines that are no changes");
    }
    let wanted = |change: &&Change| args.name.as_ref().is_none_or(|name| change.user() == name);
    let changes = changes.iter().filter(wanted);
    if args.json {
        let all: serde_json::Value = changes.map(Change::to_json).collect();
        writeln!(out, "{all:#}")?;
    } else {
        for change in changes {
            writeln!(out, "{change}")?;
        }
    }
    Ok(())
}

//! `restante user`: the user database.

use std::process::ExitCode;

use crate::office::{Office, OfficeArgs};

/// Flags of `restante user`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  restante user add fred --data /srv/mail")]
pub(crate) struct Args {
    #[command(flatten)]
    office: OfficeArgs,
}

/// Changes the user database.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let office = Office::new(&args.office)?;
    anyhow::bail!("user is not built yet ({})", office.config.passwd().display())
}

//! `restante deliver`: one message from standard input.

use std::process::ExitCode;

use crate::exit::{Code, Failure};
use crate::office::{Office, OfficeArgs};

/// Flags of `restante deliver`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  restante deliver fred --data /srv/mail < message.eml")]
pub(crate) struct Args {
    /// The user
    name: String,
    #[command(flatten)]
    office: OfficeArgs,
}

/// Delivers.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let office = Office::new(&args.office).map_err(|e| Failure::new(Code::Config, e))?;
    office.require_data().map_err(|e| Failure::new(Code::TryAgain, e))?;
    Err(Failure::new(Code::NoUser, anyhow::anyhow!("no user {}", args.name)).into())
}

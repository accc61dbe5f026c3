//! `restante demo`: the whole way in one command.

use std::path::PathBuf;
use std::process::ExitCode;

/// Flags of `restante demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  restante demo --mail ~/Maildir")]
pub(crate) struct Args {
    /// Real messages to use: a Maildir, an mbox or a folder of .eml files
    #[arg(long, value_name = "PATH")]
    mail: Option<PathBuf>,
}

/// Demonstrates.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("demo is not built yet ({args:?})")
}

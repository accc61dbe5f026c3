//! `restante collect`: fetch mail from other servers' accounts.

use std::path::PathBuf;
use std::process::ExitCode;

/// Flags of `restante collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  restante collect --config accounts.toml")]
pub(crate) struct Args {
    /// The file that names the accounts
    #[arg(long, value_name = "FILE", env = "RESTANTE_CONFIG")]
    config: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
    /// Say what would be fetched and deleted, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Collects.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!("collect is not built yet ({args:?})")
}

//! The log: structured events on standard error, for people or for machines.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How the log looks; any command takes these flags.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LoggingArgs {
    /// How log lines look
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    log: Format,
    /// Least important level that is logged: error, warn, info, debug, trace or off
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "RESTANTE_LOG",
        default_value = "info",
        value_parser = parse_filter
    )]
    log_level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line for people
    Human,
    /// One JSON object a line
    Json,
}

/// Starts the log. Called once, first thing.
pub(crate) fn start(args: &LoggingArgs) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(&args.log_level);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // Colours are for eyes, not for log files.
        .with_ansi(io::stderr().is_terminal());
    // Setting the subscriber fails only when there is one already.
    match args.log {
        Format::Human => {
            let _ = log.with_target(false).try_init();
        }
        Format::Json => {
            let _ = log.json().flatten_event(true).try_init();
        }
    }
}

/// A filter as the log understands it, kept as text because it cannot be cloned.
fn parse_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

//! `restante collect plan`: what a run would do with each message, and why.
//!
//! In: a file of accounts. Out: a line for each message on the server, or the account's report
//! with them as a JSON object. It logs in and lists, and neither fetches nor deletes.

use std::io::{self, Write as _};
use std::process::ExitCode;

use indicatif::DecimalBytes;
use restante_collect::{Mode, PlannedMessage};
use restante_host::Host;

use super::{Which, collect, complain, exit_code, summary, wanted};

/// Flags of `restante collect plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print a JSON object for each account
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  restante collect plan --config accounts.toml --account work

Exit codes are those of `restante collect`.";

/// Shows the plan.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let host = Host::real();
    let wanted = wanted(&host, &args.which.config, &args.which.account)?;
    let reports = collect(&host, wanted, |collector| collector.mode(Mode::Explain), true)?;
    let mut out = io::stdout().lock();
    for report in &reports {
        if args.json {
            serde_json::to_writer(&mut out, report)?;
            writeln!(out)?;
        } else if report.error.is_none() {
            writeln!(out, "{}", summary(report))?;
            for warning in &report.warnings {
                writeln!(out, "  {warning}")?;
            }
            for message in &report.messages {
                writeln!(out, "{}", line(message))?;
            }
        }
    }
    out.flush()?;
    complain(&reports);
    Ok(exit_code(&reports))
}

fn line(message: &PlannedMessage) -> String {
    let PlannedMessage { number, unique_id, octets, action, reason, .. } = message;
    let octets = octets.map_or_else(|| "?".to_owned(), |octets| DecimalBytes(octets).to_string());
    let action = action.as_str();
    format!("{number:>7}  {action:<16}  {octets:>10}  {unique_id}  ({reason})")
}

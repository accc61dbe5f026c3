//! `restante collect status`: how accounts stand.
//!
//! In: a file of accounts and what earlier runs left in the state folder. Out: a few lines for each
//! account, or a JSON object. No server is asked.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use restante_collect::{Collector, LastRun, Status};
use restante_host::Host;
use tokio::runtime::Builder;

use super::progress::messages;
use super::{Which, wanted};
use crate::command;

/// Flags of `restante collect status`.
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
  restante collect status --config accounts.toml";

/// Shows how accounts stand.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let host = Host::real();
    let wanted = wanted(&host, &args.which.config, &args.which.account)?;
    let collector = Collector::new(host.clone(), wanted.state);
    let runtime = command::runtime(Builder::new_multi_thread())?;
    let mut out = io::stdout().lock();
    for account in &wanted.accounts {
        let status = runtime.block_on(collector.status(account))?;
        if args.json {
            serde_json::to_writer(&mut out, &status)?;
            writeln!(out)?;
        } else {
            write_text(&mut out, &status, host.clock.wall())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write_text(out: &mut impl Write, status: &Status, now: SystemTime) -> io::Result<()> {
    let Status { account, server, .. } = status;
    let Some(run) = &status.last_run else {
        let state = if status.running { "the first run is under way" } else { "never run" };
        return writeln!(out, "{account} ({server}): {state}");
    };
    let state = match &run.error {
        _ if status.running => "a run is under way".to_owned(),
        Some(error) => error.clone(),
        None if run.failed > 0 => format!("{} could not be collected", messages(run.failed)),
        None => "good".to_owned(),
    };
    writeln!(out, "{account} ({server}): {state}")?;
    let LastRun { ended, fetched, deleted, left, .. } = run;
    writeln!(out, "  last run       {}", moment(*ended, now))?;
    writeln!(out, "                 {fetched} fetched, {deleted} deleted, {left} left there")?;
    if run.too_large > 0 {
        writeln!(out, "                 {} too large", messages(run.too_large))?;
    }
    let last_good = status.last_good.map_or_else(|| "never".into(), |good| moment(good, now));
    writeln!(out, "  last good run  {last_good}")?;
    if let Some(counts) = status.messages {
        writeln!(
            out,
            "  messages       {} stored and on the server, {} gone from it, {} set aside",
            counts.stored, counts.gone, counts.waiting
        )?;
    }
    for message in &status.set_aside {
        let times = match message.attempts {
            1 => "once".to_owned(),
            attempts => format!("{attempts} times"),
        };
        let reason = message.reason.as_deref().unwrap_or("for reasons not noted");
        writeln!(out, "  {}: failed {times}: {reason}", message.unique_id)?;
        writeln!(out, "                 next try {}", moment(message.next_try, now))?;
    }
    Ok(())
}

/// `2027-01-01T00:00:00Z (3 days ago)`
fn moment(seconds: u64, now: SystemTime) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let at = at.unwrap_or(Timestamp::MAX);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let away = match Duration::from_secs(seconds).checked_sub(now) {
        Some(left) if !left.is_zero() => format!("in {}", span(left.as_secs())),
        _ => format!("{} ago", span(now.as_secs().saturating_sub(seconds))),
    };
    format!("{at} ({away})")
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_told_from_now() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (seconds, told) in [
            (1_000_000, "1970-01-12T13:46:40Z (0 s ago)"),
            (999_881, "1970-01-12T13:44:41Z (119 s ago)"),
            (1_000_300, "1970-01-12T13:51:40Z (in 5 min)"),
            (1_010_000, "1970-01-12T16:33:20Z (in 2 h)"),
            (0, "1970-01-01T00:00:00Z (11 days ago)"),
        ] {
            assert_eq!(moment(seconds, now), told);
        }
    }
}

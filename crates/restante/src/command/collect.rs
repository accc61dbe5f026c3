//! `restante collect`: fetch mail from other servers' accounts.
//!
//! In: a file of accounts. Out: mail in Maildirs; progress on standard error, a line or a JSON
//! object for each account on standard output, and a line on standard error for each that failed.

mod import;
mod plan;
mod progress;
mod status;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::DecimalBytes;
use restante_collect::{Account, Accounts, Collector, Defaults, Mode, Report};
use restante_host::Host;
use restante_maildrop::Destination;
use restante_spool::MaildirDestination;
use tokio::runtime::Builder;

use crate::command;
use crate::config::{self, ConfigError, Problem};
use crate::exit::Code;

pub(crate) use progress::Progress;

/// Flags of `restante collect`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The file that names the accounts
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Collect this account and no other (repeatable)
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
    /// Say what would be fetched and deleted, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Try messages that failed before again now, instead of when they are due
    #[arg(long)]
    retry: bool,
    /// Print a JSON object for each account
    #[arg(long)]
    json: bool,
    /// Print nothing but what went wrong
    #[arg(long)]
    quiet: bool,
}

/// What else it can do.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Take over the accounts of another collector, and what it fetched
    Import(import::Args),
    /// Say for each message what would be done with it and why, and do nothing
    Plan(plan::Args),
    /// Say how accounts stand: the last runs, what is known, what is set aside
    Status(status::Args),
}

/// Which accounts.
#[derive(Debug, clap::Args)]
struct Which {
    /// The file that names the accounts
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// This account and no other (repeatable)
    #[arg(long, value_name = "NAME")]
    account: Vec<String>,
}

/// The accounts that were asked for, and the folder of their ledgers.
#[derive(Debug)]
struct Wanted {
    accounts: Vec<Account>,
    state: PathBuf,
}

const AFTER_HELP: &str = "\
Examples:
  restante collect --config accounts.toml
  restante collect --config accounts.toml --account work --dry-run

An account in FILE:
  [[account]]
  name = \"work\"
  server = \"pop.example.org\"
  encryption = \"tls\"              # or \"starttls\", \"none\"; default \"tls\"
  user = \"fred\"
  password_file = \"work.password\" # or password_command, keyring
  leave = \"14 days\"               # default \"always\"; also \"never\", \"newest 500\",
                                  # \"until deleted here\", \"while under 80% of quota\"
  maildir = \"~/Maildir\"
More keys: port, ca_file, timeout_s (60), quota, largest. What was collected is remembered under
$XDG_STATE_HOME/restante; `state = \"FOLDER\"` before the first account moves it.

Exit codes: 0 everything was collected, or there was no mail; 75 some accounts or
messages were not, and the next run may do it with nothing changed; 1 some accounts
failed and need somebody to look; 2 wrong usage.";

/// Collects.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Some(Action::Import(args)) => return import::run(args),
        Some(Action::Plan(args)) => return plan::run(args),
        Some(Action::Status(args)) => return status::run(args),
        None => {}
    }
    let host = Host::real();
    let config = args.config.as_deref().context("no file of accounts is named")?;
    let wanted = wanted(&host, config, &args.account)?;
    let mode = if args.dry_run { Mode::Count } else { Mode::Collect };
    let how = |collector: Collector| collector.mode(mode).retry(args.retry);
    let reports = collect(&host, wanted, how, args.quiet)?;
    print(&reports, &args)?;
    Ok(exit_code(&reports))
}

fn wanted(host: &Host, config: &Path, names: &[String]) -> anyhow::Result<Wanted> {
    let accounts = read(host, config)?;
    let state = match accounts.state {
        Some(state) => state,
        None => default_state()?,
    };
    Ok(Wanted { accounts: select(accounts.accounts, names)?, state })
}

fn collect(
    host: &Host,
    wanted: Wanted,
    how: impl FnOnce(Collector) -> Collector,
    quiet: bool,
) -> anyhow::Result<Vec<Report>> {
    let progress = Arc::new(Progress::new(quiet));
    let collector =
        how(Collector::new(host.clone(), wanted.state).observer(Arc::clone(&progress) as _));
    let accounts = wanted.accounts.into_iter().map(|account| {
        let maildir = MaildirDestination::open(host.clone(), &account.maildir);
        (account, Arc::new(maildir) as Arc<dyn Destination>)
    });
    let collecting = collector.collect_all(accounts.collect());
    let reports = command::runtime(Builder::new_multi_thread())?.block_on(collecting);
    progress.finish();
    Ok(reports)
}

fn read(host: &Host, file: &Path) -> anyhow::Result<Accounts> {
    let text = config::read_text(&*host.fs, file)?;
    // Absolute, so that what is remembered and reported does not depend on where one stands.
    let file_here = std::path::absolute(file).context("cannot find the current folder")?;
    let defaults = Defaults {
        folder: file_here.parent().unwrap_or(&file_here).to_owned(),
        home: std::env::home_dir().filter(|home| home.is_absolute()),
    };
    Accounts::parse(&text, &defaults).map_err(|problems| {
        let problems = problems.into_iter().map(|found| Problem::new(found.span, found.message));
        ConfigError::new(file, &text, problems.collect()).into()
    })
}

/// The folder of the ledgers when nobody names one.
fn default_state() -> anyhow::Result<PathBuf> {
    let folder = |name| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|folder| folder.is_absolute())
    };
    folder("XDG_STATE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".local/state")))
        .map(|folder| folder.join("restante"))
        .context("there is no home folder to remember in what was collected: set state in FILE")
}

fn select(accounts: Vec<Account>, names: &[String]) -> anyhow::Result<Vec<Account>> {
    if let Some(unknown) = names.iter().find(|name| !accounts.iter().any(|a| a.name == **name)) {
        let known: Vec<_> = accounts.iter().map(|account| account.name.as_str()).collect();
        anyhow::bail!("there is no account {unknown:?}; there are: {}", known.join(", "));
    }
    let wanted = |account: &Account| names.is_empty() || names.contains(&account.name);
    Ok(accounts.into_iter().filter(wanted).collect())
}

fn print(reports: &[Report], args: &Args) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for report in reports {
        if args.json {
            serde_json::to_writer(&mut out, report)?;
            writeln!(out)?;
        } else if !args.quiet && (report.error.is_none() || report.fetched + report.deleted > 0) {
            writeln!(out, "{}", summary(report))?;
        }
    }
    out.flush()?;
    complain(reports);
    Ok(())
}

fn complain(reports: &[Report]) {
    let mut complaints = io::stderr().lock();
    for report in reports {
        if let Some(complaint) = complaint(report) {
            // The exit code still tells when nobody can read it.
            let _ = writeln!(complaints, "{complaint}");
        }
    }
}

fn summary(report: &Report) -> String {
    let Report { account, server, fetched, deleted, left, .. } = report;
    if let Some(planned) = report.planned {
        let octets = DecimalBytes(planned.octets);
        return format!(
            "{account}: would fetch {} ({octets}), delete {} and leave {} on {server}",
            progress::messages(planned.fetch),
            planned.delete,
            planned.left
        );
    }
    let octets = DecimalBytes(report.octets);
    format!("{account}: {fetched} fetched ({octets}), {deleted} deleted, {left} left on {server}")
}

/// One line for an account that has something wrong: which server, what, what to do.
fn complaint(report: &Report) -> Option<String> {
    let Report { account, server, failed, .. } = report;
    if let Some(error) = &report.error {
        let advice = report.advice.as_deref().unwrap_or_default();
        return Some(format!("restante: {account}: {server}: {error} ({advice})"));
    }
    let set_aside = "could not be collected (later runs try again)";
    let messages = progress::messages(*failed);
    (*failed > 0).then(|| format!("restante: {account}: {server}: {messages} {set_aside}"))
}

fn exit_code(reports: &[Report]) -> ExitCode {
    let needs_somebody = |report: &Report| report.error.is_some() && !report.temporary;
    if reports.iter().any(needs_somebody) {
        Code::Failure.into()
    } else if reports.iter().all(Report::is_success) {
        ExitCode::SUCCESS
    } else {
        Code::TryAgain.into()
    }
}

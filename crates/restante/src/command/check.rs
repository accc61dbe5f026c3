//! `restante check`: which rules of POP3 a server keeps.
//!
//! In: a server and a test account. Out: a finding for each rule on standard output, as text or as
//! one JSON object; progress on standard error.

use std::io::{self, IsTerminal as _, Write};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use restante_check::{Checker, Encryption, Finding, Level, Report, Target, Trust, Verdict, rules};

use crate::exit::{Code, Failure};
use crate::password;

/// Flags of `restante check`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The server; the port is 995 with --tls and 110 otherwise, if none is given
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "list")]
    server: Option<String>,
    /// The name of a test account
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    user: Option<String>,
    /// Take the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// TLS from the first octet
    #[arg(long, conflicts_with = "starttls")]
    tls: bool,
    /// TLS after STLS
    #[arg(long)]
    starttls: bool,
    /// Send the password without TLS to another machine
    #[arg(long, conflicts_with_all = ["tls", "starttls"])]
    cleartext: bool,
    /// Trust the certificates in this PEM file, too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Take any certificate, for test servers
    #[arg(long, conflicts_with = "ca_file")]
    insecure: bool,
    /// Look for the rules that mark messages, too; the last message is deleted
    #[arg(long)]
    may_delete: bool,
    /// Seconds a reply may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print nothing but the findings
    #[arg(long)]
    quiet: bool,
    /// List the rules, and connect to nothing
    #[arg(long)]
    list: bool,
}

const AFTER_HELP: &str = "\
Examples:
  restante check pop.example.org --tls --user test --password-stdin < password
  restante check localhost:1110 --starttls --insecure --user test --password-stdin --json
  restante check --list

It logs in some twenty times, by USER and PASS or AUTH PLAIN, and fails to some seven times,
so use an account of its own: with a few small messages, one with a line that begins with a
dot. Without --may-delete nothing is marked or deleted; messages are read, which a server may
note.

Exit codes: 0 no rule is broken that must be kept; 3 some are; 1 the server could not be
reached or refused the login; 2 wrong usage.";

/// Looks for every rule.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.list {
        list(&mut out, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let target = target(&args)?;
    let progress = progress(args.quiet);
    let checker = Checker::start(target)?;
    let report = checker.run(|rule| {
        progress.inc(1);
        progress.set_message(format!("{} {}", rule.id, rule.says));
    });
    progress.finish_and_clear();
    if args.json {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    } else {
        print(&mut out, &report)?;
    }
    out.flush()?;
    Ok(if report.breaks_a_must() { Code::Broken.into() } else { ExitCode::SUCCESS })
}

fn target(args: &Args) -> anyhow::Result<Target> {
    let wrong = |text: String| Failure::new(Code::CommandLine, anyhow::anyhow!(text));
    let encryption = match (args.tls, args.starttls) {
        (true, _) => Encryption::Tls,
        (_, true) => Encryption::StartTls,
        _ => Encryption::None,
    };
    let default_port = if encryption == Encryption::Tls { 995 } else { 110 };
    let server = args.server.as_deref().unwrap_or_default();
    let (host, port) = host_and_port(server, default_port)
        .ok_or_else(|| wrong(format!("{server:?} is no HOST or HOST:PORT")))?;
    if encryption == Encryption::None && !args.cleartext && !is_here(&host, port) {
        let text = "the password would be sent without TLS to another machine: give --tls or \
                    --starttls, or --cleartext if that is meant";
        return Err(wrong(text.to_owned()).into());
    }
    let trust = match (&args.ca_file, args.insecure) {
        (Some(file), _) => Trust::File(file.clone()),
        (None, true) => Trust::Anyone,
        (None, false) => Trust::System,
    };
    let password =
        password::existing(args.password_stdin).context("no password for the test account")?;
    Ok(Target {
        host,
        port,
        encryption,
        trust,
        user: args.user.clone().unwrap_or_default(),
        password,
        patience: Duration::from_secs(args.timeout),
        may_delete: args.may_delete,
    })
}

/// `host = name / IPv4 / "[" IPv6 "]" / IPv6`, then `[":" port]` unless it is a bare IPv6 address.
fn host_and_port(server: &str, default_port: u16) -> Option<(String, u16)> {
    if server.parse::<IpAddr>().is_ok() {
        return Some((server.to_owned(), default_port));
    }
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (server, default_port),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port))
}

/// Whether a name leads to this machine and nowhere else.
fn is_here(host: &str, port: u16) -> bool {
    let addresses = (host, port).to_socket_addrs();
    addresses.is_ok_and(|mut addresses| addresses.all(|address| address.ip().is_loopback()))
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(rules().count() as u64);
    let style = ProgressStyle::with_template("{pos}/{len} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn list(out: &mut impl Write, json: bool) -> anyhow::Result<()> {
    for rule in rules() {
        let deletes = if rule.deletes { " (--may-delete)" } else { "" };
        if json {
            let line = serde_json::json!({
                "id": rule.id, "section": rule.section, "level": rule.level,
                "rule": rule.says, "deletes": rule.deletes,
            });
            writeln!(out, "{line}")?;
        } else {
            let (id, level, says) = (rule.id, rule.level, rule.says);
            writeln!(out, "{id:5} {level:7} {says}{deletes} [{}]", rule.section)?;
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{}: {}", report.server, report.greeting)?;
    match &report.capabilities {
        Some(capabilities) => writeln!(out, "CAPA: {}", capabilities.join(", "))?,
        None => writeln!(out, "no CAPA")?,
    }
    writeln!(out)?;
    for finding in &report.findings {
        let Finding { id, section, level, rule, verdict, why, transcript } = finding;
        let word = match verdict {
            Verdict::Kept => "kept",
            Verdict::Broken => "BROKEN",
            Verdict::Untestable => "-",
        };
        writeln!(out, "{word:7} {id:5} {level:7} {rule} [{section}]")?;
        if let Some(why) = why {
            writeln!(out, "        {why}")?;
        }
        for line in transcript {
            writeln!(out, "          {line}")?;
        }
    }
    let broken = |wanted: Level| {
        let is_broken =
            |finding: &&Finding| finding.verdict == Verdict::Broken && finding.level == wanted;
        report.findings.iter().filter(is_broken).count()
    };
    writeln!(
        out,
        "\n{} kept, {} broken ({} that must be kept), {} not testable here",
        report.count(Verdict::Kept),
        report.count(Verdict::Broken),
        broken(Level::Must),
        report.count(Verdict::Untestable)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_perhaps_a_port() {
        for (server, expected) in [
            ("pop.example.org", Some(("pop.example.org", 995))),
            ("localhost:1110", Some(("localhost", 1110))),
            ("127.0.0.1", Some(("127.0.0.1", 995))),
            ("127.0.0.1:110", Some(("127.0.0.1", 110))),
            ("::1", Some(("::1", 995))),
            ("[::1]", Some(("::1", 995))),
            ("[::1]:110", Some(("::1", 110))),
            (":110", None),
            ("a:b", None),
            ("a:0", None),
            ("", None),
        ] {
            let found = host_and_port(server, 995);
            let expected = expected.map(|(host, port): (&str, u16)| (host.to_owned(), port));
            assert_eq!(found, expected, "{server}");
        }
    }
}

//! `restante collect import`: take over the accounts of another collector, and what it fetched.
//!
//! In: its configuration and its lists of unique-ids. Out: accounts at the end of a file of
//! accounts, passwords in files of their own beside it, unique-ids in the ledgers; on standard
//! output a line or a JSON object for each account, with what was not taken over. The file of
//! accounts comes last: no run can find an account there whose messages are not yet known.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use restante_collect::import::{Found, FoundSecret, Import, Place, Seen, Tool};
use restante_collect::{Account, Accounts, Defaults, remember};
use restante_host::{Host, durable};
use serde::Serialize;
use tokio::runtime::Builder;

use super::default_state;
use crate::command;
use crate::config::{ConfigError, Problem};
use crate::exit::Code;

/// Flags of `restante collect import`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The collector to come from
    #[arg(value_name = "COLLECTOR")]
    from: From,
    /// Its configuration
    path: PathBuf,
    /// Where the mail goes from now on; else the Maildir it went to
    #[arg(long, value_name = "DIR")]
    maildir: Option<PathBuf>,
    /// The file of accounts to add to
    #[arg(long, value_name = "FILE", default_value = "accounts.toml")]
    config: PathBuf,
    /// Where to remember what was collected; else as the file of accounts says
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Say what would be taken over, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object for each account
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Examples:
  restante collect import mpoprc ~/.mpoprc --dry-run
  restante collect import mpoprc ~/.mpoprc --maildir ~/Maildir
  restante collect import thunderbird ~/.thunderbird/abc.default --maildir ~/Maildir

Nothing is fetched or deleted. Run it when the other collector runs no more. Twice does no harm.

Exit codes: 0 all accounts were taken over; 1 some were not; 2 wrong usage.";

/// The files to come from.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum From {
    /// ~/.fetchmailrc of fetchmail
    Fetchmailrc,
    /// ~/.config/getmail/getmailrc of getmail, one for each account
    Getmailrc,
    /// ~/.mpoprc of mpop
    Mpoprc,
    /// The folder of a Thunderbird profile
    Thunderbird,
}

/// What became of an account.
#[derive(Debug, Serialize)]
struct Line {
    account: String,
    server: String,
    user: String,
    /// Whether it is in the file of accounts now.
    taken: bool,
    /// It was there before, and stays as it was.
    known: bool,
    leave: String,
    maildir: Option<PathBuf>,
    /// How many messages were fetched by the other collector and are not fetched again.
    seen: usize,
    left_out: Vec<String>,
}

/// An account to be taken over.
struct Taken {
    account: Account,
    seen: Vec<Seen>,
    /// A file to write.
    password: Option<(PathBuf, String)>,
}

/// Takes over.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let host = Host::real();
    let mut importer = Importer::open(&host, args)?;
    let tool = args.from.tool();
    let import = importer.read_import(tool)?;
    for found in import.accounts {
        importer.take(tool, found)?;
    }
    if !args.dry_run {
        importer.write()?;
    }
    importer.print(&import.left_out)?;
    let whole = import.left_out.is_empty() && importer.lines.iter().all(|line| line.taken);
    Ok(if whole { ExitCode::SUCCESS } else { Code::Failure.into() })
}

impl From {
    fn tool(self) -> Tool {
        match self {
            Self::Fetchmailrc => Tool::Fetchmail,
            Self::Getmailrc => Tool::Getmail,
            Self::Mpoprc => Tool::Mpop,
            Self::Thunderbird => Tool::Thunderbird,
        }
    }
}

struct Importer<'a> {
    host: &'a Host,
    args: &'a Args,
    config: PathBuf,
    defaults: Defaults,
    /// The file of accounts, as it was and as it will be.
    before: String,
    text: String,
    accounts: Accounts,
    taken: Vec<Taken>,
    lines: Vec<Line>,
}

impl<'a> Importer<'a> {
    fn open(host: &'a Host, args: &'a Args) -> anyhow::Result<Self> {
        let config = std::path::absolute(&args.config).context("cannot find the current folder")?;
        let defaults =
            Defaults { folder: config.parent().unwrap_or(&config).to_owned(), home: home() };
        let before = match durable::read(&*host.fs, &config, ACCOUNTS_OCTETS_MAX) {
            Ok(octets) => String::from_utf8(octets)
                .with_context(|| format!("{} is not text", config.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(error, &config)),
        };
        let accounts = parse(&before, &defaults, &args.config)?;
        let mut text = before.clone();
        if let Some(state) = &args.state {
            let state = std::path::absolute(state).context("cannot find the current folder")?;
            match &accounts.state {
                Some(known) if *known == state => {}
                Some(known) => anyhow::bail!(
                    "{} keeps what was collected in {}; leave --state out",
                    args.config.display(),
                    known.display()
                ),
                None if accounts.accounts.is_empty() => {
                    let state = toml::Value::String(state.to_string_lossy().into_owned());
                    text.insert_str(0, &format!("state = {state}\n"));
                }
                None => anyhow::bail!(
                    "{} has accounts that are remembered elsewhere; leave --state out",
                    args.config.display()
                ),
            }
        }
        let accounts = parse(&text, &defaults, &args.config)?;
        let (taken, lines) = (Vec::new(), Vec::new());
        Ok(Self { host, args, config, defaults, before, text, accounts, taken, lines })
    }

    fn read_import(&self, tool: Tool) -> anyhow::Result<Import> {
        let mut path = std::path::absolute(&self.args.path).context("cannot find the file")?;
        if tool == Tool::Thunderbird && !path.ends_with(PREFERENCES) {
            path.push(PREFERENCES);
        }
        let text = durable::read(&*self.host.fs, &path, RC_OCTETS_MAX)
            .map_err(|error| unreadable(error, &path))?;
        let text =
            String::from_utf8(text).with_context(|| format!("{} is not UTF-8", path.display()))?;
        let folder = path.parent().unwrap_or(&path).to_owned();
        let import = tool.accounts(&text, &Place { folder, home: home() });
        let import = import.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(import)
    }

    /// Prepares an account; nothing is written yet.
    fn take(&mut self, tool: Tool, mut found: Found) -> anyhow::Result<()> {
        let mut left_out = std::mem::take(&mut found.left_out);
        let seen = self.read_seen(tool, &found, &mut left_out)?;
        let flag = self.args.maildir.as_deref().map(std::path::absolute).transpose();
        let maildir =
            flag.context("cannot find the current folder")?.or_else(|| found.maildir.clone());
        let mut line = Line {
            account: found.name.clone(),
            server: found.server.clone(),
            user: found.user.clone(),
            taken: true,
            known: false,
            leave: found.leave.clone(),
            maildir,
            seen: seen.len(),
            left_out,
        };
        if let Some(account) = self.known(&found) {
            line.account.clone_from(&account.name);
            line.known = true;
            line.maildir = Some(account.maildir.clone());
            self.taken.push(Taken { account, seen, password: None });
        } else if let Some(maildir) = &line.maildir {
            let name = self.free_name(&found.name);
            let file = self.free_file(&name)?;
            let shown = file.file_name().map_or_else(|| file.clone(), PathBuf::from);
            let table = found.to_toml(&name, maildir, &shown);
            match self.add(&table) {
                Ok(account) => {
                    line.account = name;
                    if found.needs_password_file()
                        && !matches!(found.secret, FoundSecret::Password(_))
                    {
                        line.left_out
                            .push(format!("no password is known: write it to {}", file.display()));
                    }
                    let password = match found.secret {
                        FoundSecret::Password(password) => Some((file, password.expose().clone())),
                        _ => None,
                    };
                    self.taken.push(Taken { account, seen, password });
                }
                Err(problem) => {
                    line.taken = false;
                    line.left_out.insert(0, problem);
                }
            }
        } else {
            line.taken = false;
            line.left_out.insert(0, "its mail went to no Maildir: name one with --maildir".into());
        }
        self.lines.push(line);
        Ok(())
    }

    fn read_seen(
        &self,
        tool: Tool,
        found: &Found,
        left_out: &mut Vec<String>,
    ) -> anyhow::Result<Vec<Seen>> {
        for file in &found.seen_files {
            match durable::read(&*self.host.fs, file, SEEN_OCTETS_MAX) {
                Ok(state) => return Ok(tool.seen(&state, found)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(error, file)),
            }
        }
        if let Some(file) = found.seen_files.first() {
            left_out.push(format!(
                "no list of fetched messages in {}: all that is on the server will be fetched",
                file.display()
            ));
        }
        Ok(Vec::new())
    }

    /// An account with the same server, port and user that is in the file already.
    fn known(&self, found: &Found) -> Option<Account> {
        let port = found.port.unwrap_or_else(|| found.encryption.default_port());
        let identity = (found.server.to_ascii_lowercase(), port, found.user.as_str());
        self.accounts.accounts.iter().find(|account| account.identity() == identity).cloned()
    }

    fn free_name(&self, name: &str) -> String {
        let is_free = |name: &String| !self.accounts.accounts.iter().any(|a| a.name == *name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }

    /// A file for the account's password that is not there yet.
    fn free_file(&self, name: &str) -> anyhow::Result<PathBuf> {
        let safe = |c: char| if c.is_alphanumeric() || "@._-+".contains(c) { c } else { '_' };
        let name: String = name.chars().take(NAME_CHARS_MAX).map(safe).collect();
        let name = name.trim_start_matches('.');
        for number in 1..=NAMES_MAX {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            let file = self.defaults.folder.join(format!("{name}{number}.password"));
            let ours =
                |taken: &Taken| taken.password.as_ref().is_some_and(|(path, _)| *path == file);
            if self.taken.iter().any(ours) {
                continue;
            }
            match self.host.fs.stat(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(file),
                Err(error) => return Err(unreadable(error, &file)),
                Ok(_) => {}
            }
        }
        anyhow::bail!("there are too many files like {name}.password")
    }

    /// Adds a table to the text, if it is one that can be read back.
    fn add(&mut self, table: &str) -> Result<Account, String> {
        let mut text = self.text.clone();
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        text.push_str(table);
        let mut accounts = Accounts::parse(&text, &self.defaults).map_err(|problems| {
            problems.first().map_or_else(String::new, |problem| problem.message.clone())
        })?;
        let account = accounts.accounts.last().cloned().ok_or("it is not read back")?;
        std::mem::swap(&mut self.accounts, &mut accounts);
        self.text = text;
        Ok(account)
    }

    fn write(&self) -> anyhow::Result<()> {
        let fs = &*self.host.fs;
        for (file, password) in self.taken.iter().filter_map(|taken| taken.password.as_ref()) {
            durable::write(fs, file, format!("{password}\n").as_bytes(), SECRET_MODE)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let state = match &self.accounts.state {
            Some(state) => state.clone(),
            None => default_state()?,
        };
        let runtime = command::runtime(Builder::new_current_thread())?;
        for Taken { account, seen, .. } in self.taken.iter().filter(|taken| !taken.seen.is_empty())
        {
            runtime.block_on(remember(self.host, &state, account, seen)).with_context(|| {
                format!("cannot remember what was fetched for {}", account.name)
            })?;
        }
        if !self.taken.is_empty() && self.text != self.before {
            durable::rewrite(fs, &self.config, self.text.as_bytes(), SECRET_MODE)
                .with_context(|| format!("cannot write {}", self.config.display()))?;
        }
        Ok(())
    }

    fn print(&self, left_out: &[String]) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        for line in &self.lines {
            if self.args.json {
                serde_json::to_writer(&mut out, line)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{}", summary(line, self.args.dry_run))?;
                for what in &line.left_out {
                    writeln!(out, "  note: {what}")?;
                }
            }
        }
        for what in left_out {
            if self.args.json {
                serde_json::to_writer(&mut out, &serde_json::json!({ "left_out": [what] }))?;
                writeln!(out)?;
            } else {
                writeln!(out, "not taken over: {what}")?;
            }
        }
        out.flush()?;
        Ok(())
    }
}

fn summary(line: &Line, dry_run: bool) -> String {
    let Line { account, server, user, leave, seen, .. } = line;
    if !line.taken {
        return format!("{account}: not taken over ({user} on {server})");
    }
    let messages = super::progress::messages(*seen as u64);
    if line.known {
        return format!("{account}: is there already; {messages} known to be fetched");
    }
    let verb = if dry_run { "would be taken over" } else { "taken over" };
    let maildir = line.maildir.as_deref().unwrap_or_else(|| Path::new("")).display();
    format!(
        "{account}: {verb} ({user} on {server}, leave {leave:?}, into {maildir}); \
         {messages} known to be fetched"
    )
}

fn parse(text: &str, defaults: &Defaults, file: &Path) -> anyhow::Result<Accounts> {
    Accounts::parse(text, defaults).map_err(|problems| {
        let problems = problems.into_iter().map(|found| Problem::new(found.span, found.message));
        ConfigError::new(file, text, problems.collect()).into()
    })
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

fn unreadable(error: io::Error, file: &Path) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot read {}", file.display()))
}

/// Of a Thunderbird profile.
const PREFERENCES: &str = "prefs.js";
const SECRET_MODE: u32 = 0o600;
const NAME_CHARS_MAX: usize = 100;
const NAMES_MAX: usize = 1000;
const ACCOUNTS_OCTETS_MAX: u64 = 1024 * 1024;
const RC_OCTETS_MAX: u64 = 1024 * 1024;
/// A million ids of the greatest length are 70 MB.
const SEEN_OCTETS_MAX: u64 = 256 * 1024 * 1024;

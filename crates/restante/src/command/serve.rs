//! `restante serve`: the server.

use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::command;
use crate::config::Listen;
use crate::confinement::{self, InForce};
use crate::directory;
use crate::front::{Doors, Front};
use crate::office::{Office, OfficeArgs};
use crate::password;

/// Flags of `restante serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    restante serve --data /srv/mail --listen pop3=0.0.0.0:110 --listen pop3s=0.0.0.0:995")]
pub(crate) struct Args {
    #[command(flatten)]
    office: OfficeArgs,
    /// Listen here and nowhere else; NAME is pop3 or pop3s, port 0 any free one (repeatable)
    #[arg(long, value_name = "NAME=ADDRESS:PORT")]
    listen: Vec<Listen>,
    /// Write the bound addresses here as JSON once ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Permit passwords without TLS
    #[arg(long)]
    allow_cleartext: bool,
    /// PEM file with the certificate and its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Args {
    /// The office these flags describe.
    fn office(&self) -> anyhow::Result<Office> {
        let mut office = Office::new(&self.office)?;
        let config = &mut office.config;
        if !self.listen.is_empty() {
            config.listen = self.listen.iter().map(|l| (l.name, l.address)).collect();
        }
        config.login.allow_cleartext |= self.allow_cleartext;
        if self.certificate.is_some() {
            config.tls.certificate.clone_from(&self.certificate);
            config.tls.key.clone_from(&self.key);
        }
        Ok(office)
    }
}

/// Serves until told to stop.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut office = args.office()?;
    let ready_file = args.ready_file.as_deref();
    let doors = Front::ports(&office)?;
    // From here on one thing after the other is given up: root, then files and system calls, and
    // all of it before there is a second thread, for which it would not hold.
    confinement::assume_user(&office.config)?;
    if office.config.data_is_named {
        office.require_data()?;
    } else {
        office.create_data()?;
        first_user(&office)?;
    }
    confinement::check_access(&office)?;
    // The system tells by files that are out of reach then.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = &mut office.config.login.limits.hash_threads;
    if *threads == 0 {
        *threads = processors.saturating_sub(1).max(1);
    }
    let in_force = confinement::confine(&office, ready_file)?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(processors);
    let runtime = command::runtime(builder)?;
    let served = runtime.block_on(serve(&office, doors, &in_force, ready_file));
    // What still runs was given up: dropping the runtime would wait, without a bound, for a thread
    // that reads a maildrop for a session which has ended.
    runtime.shutdown_background();
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    office: &Office,
    doors: Doors,
    in_force: &InForce,
    ready_file: Option<&Path>,
) -> anyhow::Result<()> {
    // A stale file would tell a script that the server is ready before it is.
    if let Some(file) = ready_file {
        match office.host.fs.unlink(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {}", file.display()));
            }
            _ => {}
        }
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let front = Front::open(office, doors)?;
    if let Some(file) = ready_file {
        front.announce(office, file)?;
    }
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    in_force.log(&office.config);
    front.serve(stop).await;
    Ok(())
}

/// Makes a post office that nobody set up usable at once: its first user, with a password that
/// is shown this once.
fn first_user(office: &Office) -> anyhow::Result<()> {
    if !office.config.users.is_empty() {
        return Ok(());
    }
    let users = directory::passwd_file(office)?;
    match office.host.fs.stat(users.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => return Ok(()),
    }
    let password = password::random(&*office.host.rng)?;
    let log = office.audit("serve");
    let cannot = || format!("cannot add a first user to {}", users.path().display());
    let audit = log.open().with_context(cannot)?;
    users.add(FIRST_USER, &password).with_context(cannot)?;
    audit.record("add", FIRST_USER, &[("scheme", "ARGON2ID")]).with_context(cannot)?;
    writeln!(
        io::stdout().lock(),
        "A new post office in {}\n  user:     {FIRST_USER}\n  password: {}   (shown this once)",
        office.config.data.display(),
        String::from_utf8_lossy(password.expose())
    )
    .context("cannot show the first user's password")
}

const FIRST_USER: &str = "me";

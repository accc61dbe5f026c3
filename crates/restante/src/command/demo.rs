//! `restante demo`: the whole way in one command.
//!
//! Makes a post office of its own, delivers real messages durably, serves them over TLS, collects
//! them with `leave = never`, and proves that what arrived is what was delivered. In: a Maildir,
//! an mbox or a folder of messages, or nothing. Out: a table, and what to type next. It fails when
//! one octet differs.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use restante_client::{Encryption, Endpoint};
use restante_collect::{Account, Collector, Leave, SecretSource, SignIn};
use restante_host::{Host, durable};
use restante_maildrop::Store as _;
use restante_proto::Secret;
use restante_proto::dot::Stuffer;
use restante_spool::MaildirDestination;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::command;
use crate::command::collect::Progress;
use crate::config::ListenerName;
use crate::directory;
use crate::front::Front;
use crate::letters::Letters;
use crate::office::{Office, OfficeArgs};
use crate::password;

/// Flags of `restante demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  restante demo\n  restante demo --mail ~/Maildir")]
pub(crate) struct Args {
    /// Real messages to use: a Maildir, an mbox or a folder of .eml files
    #[arg(long, value_name = "PATH")]
    mail: Option<PathBuf>,
    /// Folder for the demo's post office; it must not hold one already [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Demonstrates.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let letters = match &args.mail {
        Some(path) => Letters::open(path)?,
        None => Letters::samples(),
    };
    let demo = Demo::new(args.data.clone())?;
    let passed = command::runtime(Builder::new_multi_thread())?.block_on(demo.show(letters))?;
    io::stdout().lock().write_all(passed.as_bytes()).context("cannot show the result")?;
    Ok(ExitCode::SUCCESS)
}

/// A post office made for the occasion.
struct Demo {
    host: Host,
    data: PathBuf,
    office: Office,
    password: Secret<Vec<u8>>,
}

/// Messages by the hash of their canonical form.
type Bag = HashMap<[u8; 32], u64>;

/// How much went how fast.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    messages: u64,
    octets: u64,
    time: Duration,
}

impl Demo {
    fn new(data: Option<PathBuf>) -> anyhow::Result<Self> {
        let host = Host::real();
        let data = match data {
            Some(data) => data,
            None => {
                let name = password::random(&*host.rng)?;
                let name = format!("restante-demo-{}", String::from_utf8_lossy(name.expose()));
                std::env::temp_dir().join(name)
            }
        };
        let office =
            Office::new(&OfficeArgs { data: Some(data.clone()), ..OfficeArgs::default() })?;
        office.create_data()?;
        let password = password::random(&*host.rng)?;
        let added = directory::passwd_file(&office)?.add(USER, &password);
        added.with_context(|| format!("{} is not fit for a demo", data.display()))?;
        // The collector reads it from here, and so can whoever tries the post office afterwards.
        durable::write(&*host.fs, &data.join(PASSWORD_FILE), password.expose(), 0o600)
            .context("cannot write the password file")?;
        Ok(Self { host, data, office, password })
    }

    /// Goes the whole way; what it returns is for people to read.
    async fn show(mut self, letters: Letters) -> anyhow::Result<String> {
        let (mut sent, mut arrived) = (Bag::new(), Bag::new());
        let delivered = self.deliver(letters, &mut sent).await?;
        let collected = self.serve_and_collect().await?;
        Maildir(&self.maildir()).each(&mut |message| count(&message, &mut arrived))?;
        anyhow::ensure!(
            sent == arrived,
            "what arrived is not what was delivered; look into {}",
            self.data.display()
        );
        Ok(self.story(delivered, collected))
    }

    async fn deliver(&self, letters: Letters, sent: &mut Bag) -> anyhow::Result<Row> {
        let store = self.office.store()?;
        let owner = restante_maildrop::Owner::new(USER)?;
        let began = self.host.clock.monotonic();
        let mut row = Row::default();
        for letter in letters {
            let letter = letter?;
            count(&letter, sent);
            let mut delivery = store.deliver(&owner).await?;
            delivery.write(letter.into()).await?;
            row.octets += delivery.finish().await?.octets.to_u64();
            row.messages += 1;
        }
        row.time = self.host.clock.monotonic().saturating_duration_since(began);
        Ok(row)
    }

    async fn serve_and_collect(&mut self) -> anyhow::Result<Row> {
        let any_port = |name| (name, SocketAddr::from(([127, 0, 0, 1], 0)));
        self.office.config.listen = ListenerName::ALL.map(any_port).into();
        let front = Front::open(&self.office, Front::ports(&self.office)?)?;
        let pop3s = front.listening().find(|listen| listen.name == ListenerName::Pop3s.as_str());
        let address = pop3s.context("there is no POP3S listener")?.address;
        let mut endpoint = Endpoint::new("localhost", Encryption::Tls);
        endpoint.port = address.port();
        endpoint.ca_file = Some(front.certificate().to_owned());
        let account = Account {
            name: "demo".to_owned(),
            endpoint,
            user: USER.to_owned(),
            sign_in: SignIn::Password(SecretSource::File(self.data.join(PASSWORD_FILE))),
            mechanism: None,
            leave: Leave::Never,
            largest_octets: None,
            maildir: self.maildir(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(front.serve(async {
            // A sender that is gone is a stop as well.
            let _ = stopped.await;
        }));
        let progress = Arc::new(Progress::new(false));
        let collector = Collector::new(self.host.clone(), self.data.join("state"))
            .observer(Arc::clone(&progress) as _);
        let destination = MaildirDestination::open(self.host.clone(), &account.maildir);
        let began = self.host.clock.monotonic();
        let report = collector.collect(&account, &destination).await;
        let time = self.host.clock.monotonic().saturating_duration_since(began);
        progress.finish();
        drop(stop);
        serving.await.context("the server broke down")?;
        if let Some(error) = report.error {
            anyhow::bail!("the mail could not be collected: {error}");
        }
        anyhow::ensure!(report.failed == 0, "{} messages were not collected", report.failed);
        anyhow::ensure!(report.deleted == report.fetched, "not all mail was deleted at the server");
        Ok(Row { messages: report.fetched, octets: report.octets, time })
    }

    fn story(&self, delivered: Row, collected: Row) -> String {
        let data = self.data.display();
        let certificate = self.data.join("tls/certificate.pem");
        let certificate = certificate.display();
        let password = String::from_utf8_lossy(self.password.expose());
        // As it was called: it need not be on the search path.
        let restante = std::env::args_os().next().unwrap_or_else(|| "restante".into());
        let restante = restante.to_string_lossy();
        format!(
            "\n             messages       octets   seconds     MB/s\n\
             delivered  {delivered}\n\
             collected  {collected}\n\n\
             Every message arrived octet for octet; the server keeps none.\n\
             They lie in {}\n\n\
             Go on with this post office:\n  \
               {restante} serve --data {data}\n  \
               {restante} deliver {USER} --data {data} < message.eml\n  \
               curl --cacert {certificate} --user {USER}:{password} pop3s://localhost:1995/\n\n\
             In a mail program: POP3, server localhost, port 1995, encryption SSL/TLS\n\
             (or port 1110, STARTTLS), user {USER}, password {password}\n",
            self.maildir().display(),
        )
    }

    fn maildir(&self) -> PathBuf {
        self.data.join("collected")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people, of three digits")]
        let rate = self.octets as f64 / 1e6 / seconds.max(1e-6);
        write!(f, "{:>10}{:>13}{seconds:>10.3}{rate:>9.1}", self.messages, self.octets)
    }
}

/// The collected mail, read without the help of what wrote it.
struct Maildir<'a>(&'a Path);

impl Maildir<'_> {
    fn each(&self, found: &mut dyn FnMut(Vec<u8>)) -> anyhow::Result<()> {
        for folder in ["new", "cur"] {
            let folder = self.0.join(folder);
            let entries = match std::fs::read_dir(&folder) {
                // Without a message nothing was made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
            };
            for entry in entries {
                found(std::fs::read(entry?.path()).context("cannot read what was collected")?);
            }
        }
        Ok(())
    }
}

/// Counts a message by its wire form, which two messages share only when they are the same but
/// for LF or CRLF at the ends of their lines.
fn count(message: &[u8], bag: &mut Bag) {
    let (mut stuffer, mut wire) = (Stuffer::default(), Vec::new());
    stuffer.push(message, &mut wire);
    stuffer.finish(&mut wire);
    *bag.entry(Sha256::digest(&wire).into()).or_default() += 1;
}

const USER: &str = "me";
const PASSWORD_FILE: &str = "demo.password";

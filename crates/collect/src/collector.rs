//! Runs accounts: several at once, each in as many sessions as it takes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use restante_client::{
    Connection, Credentials, Dial, Error as ClientError, LoginError, Step, TcpDial,
};
use restante_host::Host;
use restante_maildrop::Destination;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use crate::key::AccountKey;
use crate::ledger::Ledger;
use crate::pace::STEP_TIME;
use crate::session::{Next, Session, Work};
use crate::status::{self, Status};
use crate::{Account, CollectError, Event, LedgerError, Observer, Report, SignIn, password};

/// Collects accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Collector {
    host: Host,
    state: PathBuf,
    dial: Arc<dyn Dial>,
    observer: Arc<dyn Observer>,
    mode: Mode,
    retry: bool,
    parallel_max: usize,
}

/// What a collector does with accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It collects them.
    #[default]
    Collect,
    /// It only counts what would be done.
    Count,
    /// It only says what would be done, message by message.
    Explain,
}

impl Collector {
    /// A collector that keeps its ledgers under `state`, a folder per account.
    #[must_use]
    pub fn new(host: Host, state: PathBuf) -> Self {
        Self {
            host,
            state,
            dial: Arc::new(TcpDial),
            observer: Arc::new(()),
            mode: Mode::Collect,
            retry: false,
            parallel_max: PARALLEL_MAX,
        }
    }

    /// Reaches servers through `dial` instead of TCP.
    #[must_use]
    pub fn dial(self, dial: Arc<dyn Dial>) -> Self {
        Self { dial, ..self }
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Does what `mode` says.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Tries messages that failed before again now, however long they should wait.
    #[must_use]
    pub fn retry(self, retry: bool) -> Self {
        Self { retry, ..self }
    }

    /// Collects all accounts, some at a time, and reports on each in the order given. One that
    /// fails does not stop the others. Dropping the future breaks off without harm.
    pub async fn collect_all(&self, accounts: Vec<(Account, Arc<dyn Destination>)>) -> Vec<Report> {
        let permits = Arc::new(Semaphore::new(self.parallel_max));
        let mut reports: Vec<_> = accounts
            .iter()
            .map(|(account, _)| {
                let mut report = Report::new(account);
                report.fail(&CollectError::Internal("it came to no end".into()));
                report
            })
            .collect();
        let mut tasks = JoinSet::new();
        for (index, (account, destination)) in accounts.into_iter().enumerate() {
            let (collector, permits) = (self.clone(), Arc::clone(&permits));
            tasks.spawn(async move {
                // The semaphore is never closed.
                let _permit = permits.acquire_owned().await.ok();
                (index, collector.collect(&account, &*destination).await)
            });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Ok((index, report)) = ended
                && let Some(place) = reports.get_mut(index)
            {
                *place = report;
            }
        }
        reports
    }

    /// Collects one account to its end.
    pub async fn collect(&self, account: &Account, destination: &dyn Destination) -> Report {
        let mut report = Report::new(account);
        let mut is_ours = true;
        if let Err(error) = self.run(account, destination, &mut report).await {
            tracing::debug!(account = account.name, ?error, "not collected to the end");
            is_ours = !matches!(error, CollectError::Ledger(LedgerError::Locked));
            report.fail(&error);
        }
        if is_ours && self.mode == Mode::Collect {
            self.note(account, &report).await;
        }
        report
    }

    /// How an account stands. No server is asked.
    ///
    /// # Errors
    /// [`LedgerError`] when what is known of it cannot be read.
    pub async fn status(&self, account: &Account) -> Result<Status, LedgerError> {
        let mut status = Status::new(account);
        let folder = self.folder(account);
        let (host, path) = (self.host.clone(), folder.clone());
        let reading = spawn_blocking(move || {
            let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
            if host.fs.stat(&path).as_ref().is_err_and(is_missing) {
                return Ok((status, false));
            }
            status.read_runs(&*host.fs, &path)?;
            Ok((status, true))
        });
        let read = reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        let open = |source| LedgerError::Open { folder: folder.clone(), source };
        let (mut status, exists) = read.map_err(open)?;
        if !exists {
            return Ok(status);
        }
        match Ledger::open(&self.host, &folder).await {
            Ok(ledger) => status.count(&ledger),
            Err(LedgerError::Locked) => status.running = true,
            Err(error) => return Err(error),
        }
        Ok(status)
    }

    async fn note(&self, account: &Account, report: &Report) {
        let (host, folder, report) = (self.host.clone(), self.folder(account), report.clone());
        let now = self.now();
        let noting = spawn_blocking(move || status::note(&*host.fs, &folder, &report, now));
        let noted = noting.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        if let Err(error) = noted {
            let warning = format!("how the run ended is not written down: {error}");
            self.observer.event(&account.name, &Event::Warning(warning));
        }
    }

    fn folder(&self, account: &Account) -> PathBuf {
        self.state.join(AccountKey::new(account).folder_name(account))
    }

    async fn run(
        &self,
        account: &Account,
        destination: &dyn Destination,
        report: &mut Report,
    ) -> Result<(), CollectError> {
        let (mut credentials, warning) = password::credentials(account).await?;
        if let Some(warning) = warning {
            self.observer.event(&account.name, &Event::Warning(warning.clone()));
            report.warnings.push(warning);
        }
        let mut ledger = Ledger::open(&self.host, &self.folder(account)).await?;
        if self.retry {
            ledger.hurry();
        }
        let mut connection = self.log_in(account, &credentials).await?;
        for _ in 0..SESSIONS_MAX {
            let delay = connection.capabilities().login_delay().unwrap_or_default();
            let session = Session {
                account,
                destination,
                observer: &*self.observer,
                ledger: &mut ledger,
                report: &mut *report,
                now: self.now(),
                ends: Instant::now() + STEP_TIME,
                mode: self.mode,
                work: Work::default(),
            };
            // Boxed: it is large, and many accounts wait for their turn with nothing in it.
            if Box::pin(session.run(connection)).await? == Next::Finished {
                return Ok(());
            }
            self.wait(account, delay).await;
            if matches!(account.sign_in, SignIn::Token(_)) {
                (credentials, _) = password::credentials(account).await?;
            }
            connection = self.log_in_again(account, &credentials).await?;
        }
        report
            .warnings
            .push(format!("stopped after {SESSIONS_MAX} sessions; the next run goes on"));
        Ok(())
    }

    async fn log_in(
        &self,
        account: &Account,
        credentials: &Credentials,
    ) -> Result<Connection, ClientError> {
        let login = async {
            let stream = self.dial.dial(&account.endpoint).await?;
            let mut connection = Connection::over(stream, &account.endpoint).await?;
            connection.login(credentials).await?;
            Ok(connection)
        };
        timeout(STEP_TIME, login)
            .await
            .unwrap_or(Err(ClientError::Timeout(Step::Reply("the login"))))
    }

    /// Some servers hold the maildrop for a moment after they have answered `QUIT`.
    async fn log_in_again(
        &self,
        account: &Account,
        credentials: &Credentials,
    ) -> Result<Connection, ClientError> {
        for pause in RELOGIN_PAUSES {
            match self.log_in(account, credentials).await {
                Err(ClientError::Login(LoginError::InUse(_) | LoginError::TooSoon(_))) => {
                    self.wait(account, pause).await;
                }
                other => return other,
            }
        }
        self.log_in(account, credentials).await
    }

    async fn wait(&self, account: &Account, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        self.observer.event(&account.name, &Event::Waiting { seconds: pause.as_secs() });
        sleep(pause.min(PAUSE_MAX)).await;
    }

    fn now(&self) -> u64 {
        let since = self.host.clock.wall().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }
}

/// Enough to hide slow servers, few enough for a home connection.
const PARALLEL_MAX: usize = 4;
/// Ten million messages take fewer; a server that never comes to an end must not keep us for ever.
const SESSIONS_MAX: u32 = 2000;
const RELOGIN_PAUSES: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];
/// Gmail asks for 300 s; a server that asks for more is asked again after this all the same.
const PAUSE_MAX: Duration = Duration::from_secs(900);

//! Keeps a certificate new.
//!
//! In: what is wanted, and time. Out: the file in the folder, and lines in the log. It never ends
//! and never fails: what goes wrong is logged and tried again. Of several servers on one folder
//! one does it.

use std::io;
use std::time::Duration;

use restante_host::Host;
use restante_http::Client;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::challenges::Challenges;
use crate::status::{Failures, status};
use crate::stored::Stored;
use crate::{AcmeError, Wanted, account, order};

/// Says of a chain with its key, in PEM, whether it can be served.
type Check = fn(&[u8]) -> Result<(), String>;

/// What keeps a certificate new.
#[derive(Debug)]
pub struct Keeper {
    host: Host,
    http: Client,
    wanted: Wanted,
    challenges: Challenges,
    check: Check,
}

impl Keeper {
    /// Makes the folder, for its owner alone. `check` is asked before a certificate takes another
    /// one's place.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(
        host: Host,
        http: Client,
        wanted: Wanted,
        challenges: Challenges,
        check: Check,
    ) -> io::Result<Self> {
        host.fs.create_dir_all(&wanted.folder, 0o700)?;
        Ok(Self { host, http, wanted, challenges, check })
    }

    /// Orders a certificate whenever one is due. Never ends.
    pub async fn run(self) {
        let lock = self.wanted.folder.join("lock");
        let _lock = loop {
            match self.host.fs.try_lock(&lock) {
                Ok(Some(lock)) => break lock,
                Ok(None) => info!("another server looks after the certificate"),
                Err(error) => warn!(%error, "cannot look after the certificate"),
            }
            sleep(NAP_MAX).await;
        };
        info!(status = %status(&self.host, &self.wanted), "looking after the certificate");
        loop {
            let next = status(&self.host, &self.wanted).next;
            match next.duration_since(self.host.clock.wall()) {
                // Clocks are set, and machines sleep: this is looked at again in between.
                Ok(left) if !left.is_zero() => sleep(left.min(NAP_MAX)).await,
                _ => self.order().await,
            }
        }
    }

    async fn order(&self) {
        let names = self.wanted.names.join(" ");
        info!(names, directory = self.wanted.directory, "ordering a certificate");
        let ordered = match timeout(ORDER_TIME, Box::pin(self.try_order())).await {
            Ok(ordered) => ordered,
            Err(_) => Err(AcmeError::Timeout),
        };
        match ordered {
            Ok(()) => {
                Failures::forget(&self.host, &self.wanted);
                info!(status = %status(&self.host, &self.wanted), "got a certificate");
            }
            Err(error) => {
                Failures::add(&self.host, &self.wanted, &error.to_string());
                warn!(names, %error, "could not get a certificate");
                // Even where nothing can be remembered.
                sleep(PAUSE_MIN).await;
            }
        }
    }

    async fn try_order(&self) -> Result<(), AcmeError> {
        let account = account::open(&self.host, &self.http, &self.wanted).await?;
        let pem = order::run(&account, &self.wanted, &self.challenges).await?;
        (self.check)(pem.as_bytes()).map_err(AcmeError::Unusable)?;
        let unusable = |why: &str| Err(AcmeError::Unusable(why.to_owned()));
        match Stored::parse(pem.as_bytes()) {
            Some(stored) if !stored.is_for(&self.wanted.names) => {
                return unusable("it is not for the names that were asked");
            }
            // The next one would be ordered at once, and so on.
            Some(stored) if stored.renewal() <= self.host.clock.wall() => {
                return unusable("its time is nearly over, or the clock here is wrong");
            }
            Some(_) => {}
            None => return unusable("it has no names, or no time"),
        }
        Stored::write(&*self.host.fs, &self.wanted.folder, &pem)
            .map_err(|source| AcmeError::Keeping { what: "the certificate", source })
    }
}

/// The longest time without a look at the clock.
const NAP_MAX: Duration = Duration::from_secs(3600);
/// For all of an order.
const ORDER_TIME: Duration = Duration::from_secs(600);
const PAUSE_MIN: Duration = Duration::from_secs(300);

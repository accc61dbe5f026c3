//! New certificates for a running server.
//!
//! In: changes in the folders where the certificates' files lie, SIGHUP, and an hour's time. Out:
//! the files are read again. The folders are watched rather than the files, as programs that
//! renew certificates put new files and links in place of the old ones. What cannot be watched is
//! still read on SIGHUP and every hour.

use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use crate::certificate::Certificates;

/// Keeps the certificates of a running server new.
#[derive(Debug)]
pub(crate) struct Renewal {
    certificates: Certificates,
    watcher: Option<RecommendedWatcher>,
    changes: mpsc::Receiver<()>,
    hangup: Signal,
}

impl Renewal {
    /// Watches the folders from now on.
    pub(crate) fn new(certificates: Certificates, hangup: Signal) -> Self {
        let (changed, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // One pending change is as good as many. Errors, such as a queue that ran over, may
            // hide a change.
            if event.map_or(true, |event| is_change(event.kind)) {
                let _ = changed.try_send(());
            }
        });
        let watcher = watcher
            .inspect_err(|error| warn!(%error, "certificates are not watched, send SIGHUP"))
            .ok();
        let mut renewal = Self { certificates, watcher, changes, hangup };
        renewal.watch();
        renewal
    }

    /// Reads the certificates again whenever there is reason to. Never ends.
    pub(crate) async fn run(mut self) {
        loop {
            let asked = tokio::select! {
                Some(()) = self.changes.recv() => {
                    self.settle().await;
                    false
                }
                _ = self.hangup.recv() => true,
                () = sleep(EVERY) => true,
            };
            let mut certificates = self.certificates;
            let read = spawn_blocking(move || {
                certificates.reload(asked);
                certificates
            });
            self.certificates = match read.await {
                Ok(certificates) => certificates,
                Err(error) => {
                    error!(%error, "certificates are not read again any more");
                    return std::future::pending().await;
                }
            };
            self.watch();
        }
    }

    /// A certificate and its key are two files: waits until both are there.
    async fn settle(&mut self) {
        let quiet = async { while let Ok(Some(())) = timeout(QUIET, self.changes.recv()).await {} };
        // A folder that is never quiet is no reason to wait for ever.
        let _ = timeout(SETTLE, quiet).await;
    }

    /// Links may lead elsewhere than before, and a folder may be another one of the same name.
    fn watch(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.certificates.folders() {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                warn!(folder = %folder.display(), %error, "cannot watch for new certificates");
            }
        }
    }
}

/// Reading the files is an event as well, and no reason to read them again.
const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
        || matches!(kind, EventKind::Access(AccessKind::Close(AccessMode::Write)))
}

/// Folders without events, as on network file systems, are looked at this often.
const EVERY: Duration = Duration::from_secs(3600);
/// Changes that follow each other faster than this are one.
const QUIET: Duration = Duration::from_millis(250);
/// The longest wait for that.
const SETTLE: Duration = Duration::from_secs(5);

//! A Maildir that a collector fills: a message's key is part of its file name, so that a collector
//! that crashed finds again what it stored, whatever flags the owner's mail program has set.
//!
//! In: keys, then message bytes. Out: a [`Receipt`] for what is there already, or a delivery.
//! The Maildir is listed once, at the first key, and synced then: what a crash left visible is
//! made durable before it is called so.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use restante_host::{Fs, Host};
use restante_maildrop::{
    Arrival, BoxFuture, DeliverError, Delivery, Destination, Fate, MessageKey, Octets, Receipt,
};

use crate::Incoming;
use crate::intake::Intake;
use crate::maildir::{Found, Maildir, Place};
use crate::store::{Arriving, blocking};
use crate::{fates, measure, name};

/// A Maildir that knows its messages by key. Needs a tokio runtime with its blocking threads.
/// Another process that stores the same keys at the same time is kept away by the collector's lock
/// on the account.
#[derive(Debug, Clone)]
pub struct MaildirDestination {
    intake: Arc<Intake>,
    maildir: Maildir,
    keys: Keys,
}

/// `None` until the Maildir was listed.
#[derive(Debug, Clone, Default)]
struct Keys(Arc<Mutex<Option<HashMap<MessageKey, Kept>>>>);

#[derive(Debug)]
enum Kept {
    /// A delivery is under way.
    Arriving,
    Stored(Receipt),
}

impl MaildirDestination {
    /// The Maildir at `path`, created with the first message where it is missing.
    #[must_use]
    pub fn open(host: Host, path: &Path) -> Self {
        let maildir = Maildir::new(path.to_owned());
        Self { intake: Arc::new(Intake::new(host)), maildir, keys: Keys::default() }
    }

    fn begin_now(&self, key: MessageKey) -> io::Result<Result<Receipt, Keyed>> {
        let mut keys = self.keys.lock();
        let keys = match &mut *keys {
            Some(keys) => keys,
            unknown => unknown.insert(self.list()?),
        };
        match keys.get(&key) {
            Some(Kept::Stored(receipt)) => return Ok(Ok(receipt.clone())),
            Some(Kept::Arriving) => return Err(io::Error::other("the message is being stored")),
            None => {}
        }
        let (intake, maildir) = (Arc::clone(&self.intake), self.maildir.clone());
        let root = self.maildir.path();
        let incoming = Incoming::begin(intake, maildir, root, Some(key.clone()))?;
        keys.insert(key.clone(), Kept::Arriving);
        let claim = Claim { keys: self.keys.clone(), key };
        Ok(Err(Keyed { arriving: Arriving::new(incoming), claim }))
    }

    fn list(&self) -> io::Result<HashMap<MessageKey, Kept>> {
        let fs = &*self.intake.host.fs;
        let (found, _) = self.maildir.scan(fs)?;
        for place in [Place::New, Place::Cur] {
            match fs.sync_dir(&self.maildir.directory(place)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        let mut keys = HashMap::new();
        for file in found {
            let base = name::base(&file.name);
            if let Some(key) = name::key(base) {
                keys.insert(key, Kept::Stored(receipt(fs, &self.maildir, &file, base)));
            }
        }
        Ok(keys)
    }
}

fn receipt(fs: &dyn Fs, maildir: &Maildir, file: &Found, base: &[u8]) -> Receipt {
    let octets = match name::sizes(base) {
        Some((_, wire)) => wire,
        // Some other program renamed it: the count is for the record only.
        None => {
            let path = maildir.message(file.place, &file.name);
            measure::octets(fs, &path, base, 0).unwrap_or_default()
        }
    };
    Receipt {
        name: String::from_utf8_lossy(base).into_owned(),
        unique_id: Some(name::unique_id(base)),
        octets: Octets::new(octets),
    }
}

impl Destination for MaildirDestination {
    fn begin<'a>(&'a self, key: &'a MessageKey) -> BoxFuture<'a, Result<Arrival, DeliverError>> {
        let (destination, key) = (self.clone(), key.clone());
        Box::pin(async move {
            let begun = blocking(move || destination.begin_now(key)).await.flatten();
            Ok(match begun.map_err(DeliverError::Temporary)? {
                Ok(receipt) => Arrival::Already(receipt),
                Err(keyed) => Arrival::New(Box::new(keyed)),
            })
        })
    }

    fn fates(&self, names: Vec<String>) -> BoxFuture<'_, Result<Option<Vec<Fate>>, DeliverError>> {
        let (intake, maildir) = (Arc::clone(&self.intake), self.maildir.clone());
        Box::pin(async move {
            let told = blocking(move || fates::tell(&*intake.host.fs, &maildir, &names));
            told.await.flatten().map_err(DeliverError::Temporary)
        })
    }
}

/// A message with a key, on its way in.
#[derive(Debug)]
struct Keyed {
    arriving: Arriving,
    claim: Claim,
}

impl Delivery for Keyed {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), DeliverError>> {
        self.arriving.write(chunk)
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Receipt, DeliverError>> {
        Box::pin(async move {
            let Self { arriving, claim } = *self;
            let incoming = arriving.into_incoming()?;
            // On the blocking thread as a whole: who stops waiting does not stop the message, and
            // its key must be known then.
            let finished = blocking(move || {
                let receipt = incoming.finish()?;
                claim.fulfil(&receipt);
                Ok(receipt)
            });
            finished.await.flatten().map_err(DeliverError::Temporary)
        })
    }
}

/// The right to store the message of a key. Dropped unfulfilled, the key is free again.
#[derive(Debug)]
struct Claim {
    keys: Keys,
    key: MessageKey,
}

impl Claim {
    fn fulfil(&self, receipt: &Receipt) {
        if let Some(keys) = &mut *self.keys.lock() {
            keys.insert(self.key.clone(), Kept::Stored(receipt.clone()));
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(keys) = &mut *self.keys.lock()
            && let Some(Kept::Arriving) = keys.get(&self.key)
        {
            keys.remove(&self.key);
        }
    }
}

impl Keys {
    fn lock(&self) -> MutexGuard<'_, Option<HashMap<MessageKey, Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

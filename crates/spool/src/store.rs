//! The Maildir store: [`Spool`] off the asynchronous threads, and nothing else.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use restante_host::Host;
use restante_maildrop::{
    Access, Body, BoxFuture, CommitError, DeliverError, Delivery, Maildrop, Marks, MessageNumber,
    OpenError, Owner, ReadError, Receipt, Snapshot, Store,
};

use crate::{Incoming, Layout, Session, Spool};

/// A store of Maildirs. Needs a tokio runtime with its blocking threads.
#[derive(Debug, Clone)]
pub struct MaildirStore {
    spool: Arc<Spool>,
}

impl MaildirStore {
    /// The Maildirs that `layout` describes, on `host`.
    #[must_use]
    pub fn new(host: Host, layout: Layout) -> Self {
        Self::on(Spool::new(host, layout))
    }

    /// The same, set up by the caller.
    #[must_use]
    pub fn on(spool: Spool) -> Self {
        Self { spool: Arc::new(spool) }
    }
}

impl Store for MaildirStore {
    fn open<'a>(
        &'a self,
        owner: &'a Owner,
        access: Access,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Maildrop>, OpenError>> {
        let (spool, owner, holder) = (Arc::clone(&self.spool), owner.clone(), holder.to_owned());
        Box::pin(async move {
            let opened = blocking(move || match access {
                Access::Shared => spool.share(&owner, &holder),
                _ => spool.open(&owner, &holder),
            });
            let opened = opened.await;
            let session = opened.map_err(OpenError::Temporary)??;
            let snapshot = session.snapshot().clone();
            let session = Arc::new(Mutex::new(Some(session)));
            Ok(Box::new(Open { snapshot, session }) as Box<dyn Maildrop>)
        })
    }

    fn deliver<'a>(
        &'a self,
        owner: &'a Owner,
    ) -> BoxFuture<'a, Result<Box<dyn Delivery>, DeliverError>> {
        let (spool, owner) = (Arc::clone(&self.spool), owner.clone());
        Box::pin(async move {
            let begun = blocking(move || spool.deliver(&owner)).await;
            let incoming = begun.map_err(DeliverError::Temporary)??;
            Ok(Box::new(Arriving::new(incoming)) as Box<dyn Delivery>)
        })
    }
}

#[derive(Debug)]
struct Open {
    snapshot: Snapshot,
    /// Shared with the blocking thread that works on it, so that a dropped future loses nothing.
    /// Taken by the commit.
    session: Arc<Mutex<Option<Session>>>,
}

impl Maildrop for Open {
    fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn body(&mut self, number: MessageNumber) -> BoxFuture<'_, Result<Body, ReadError>> {
        let session = Arc::clone(&self.session);
        let body = move || {
            session
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_mut()
                .map_or(Err(ReadError::Gone), |session| session.body(number))
        };
        Box::pin(async move { blocking(body).await.map_err(ReadError::Temporary)? })
    }

    fn arrived_before(
        &mut self,
        time: SystemTime,
    ) -> BoxFuture<'_, Result<Vec<MessageNumber>, ReadError>> {
        let session = Arc::clone(&self.session);
        let old = move || {
            let session = session.lock().unwrap_or_else(PoisonError::into_inner);
            session.as_ref().map(|session| session.arrived_before(time)).unwrap_or_default()
        };
        Box::pin(async move { blocking(old).await.map_err(ReadError::Temporary) })
    }

    fn commit(self: Box<Self>, marks: Marks) -> BoxFuture<'static, Result<(), CommitError>> {
        let session = self.session;
        let commit = move || {
            let session = session.lock().unwrap_or_else(PoisonError::into_inner).take();
            session.map_or(Ok(()), |session| session.commit(&marks))
        };
        Box::pin(async move { blocking(commit).await.map_err(CommitError::Temporary)? })
    }
}

/// A message on its way in. `None` while a blocking thread has it, and after an error.
#[derive(Debug)]
pub(crate) struct Arriving(Option<Incoming>);

impl Arriving {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self(Some(incoming))
    }

    pub(crate) fn into_incoming(self) -> Result<Incoming, DeliverError> {
        self.0.ok_or_else(abandoned)
    }
}

impl Delivery for Arriving {
    fn write(&mut self, chunk: Bytes) -> BoxFuture<'_, Result<(), DeliverError>> {
        Box::pin(async move {
            let mut incoming = self.0.take().ok_or_else(abandoned)?;
            let written = if incoming.has_room(chunk.len()) {
                incoming.write(&chunk).map(|()| incoming)
            } else {
                blocking(move || incoming.write(&chunk).map(|()| incoming)).await.flatten()
            };
            self.0 = Some(written.map_err(DeliverError::Temporary)?);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Receipt, DeliverError>> {
        Box::pin(async move {
            let incoming = self.into_incoming()?;
            let finished = blocking(move || incoming.finish()).await.flatten();
            finished.map_err(DeliverError::Temporary)
        })
    }
}

fn abandoned() -> DeliverError {
    DeliverError::Temporary(io::Error::other("an earlier write of this message did not end"))
}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

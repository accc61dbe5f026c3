//! The Maildirs of many owners: the blocking side of a [`Store`](restante_maildrop::Store).
//!
//! In: owners. Out: a [`Session`] each, one at a time unless they share the maildrop, and any number
//! of [`Incoming`] messages.

use std::sync::Arc;

use restante_host::Host;
use restante_maildrop::{Access, DeliverError, OpenError, Owner};

use crate::intake::Intake;
use crate::lock::Locks;
use crate::maildir::Maildir;
use crate::session::Policy;
use crate::trash::Trash;
use crate::{Incoming, Layout, NoPlace, Session};

/// Maildirs in a layout. A simulator drives it on a host of its own.
#[derive(Debug)]
pub struct Spool {
    layout: Layout,
    trash: Option<String>,
    adds_blank_lines: bool,
    knows_surrogates: bool,
    locks: Locks,
    intake: Arc<Intake>,
}

impl Spool {
    /// The Maildirs that `layout` describes, on `host`.
    #[must_use]
    pub fn new(host: Host, layout: Layout) -> Self {
        let intake = Arc::new(Intake::new(host));
        Self {
            layout,
            trash: None,
            adds_blank_lines: false,
            knows_surrogates: false,
            locks: Locks::default(),
            intake,
        }
    }

    /// Moves what a session deletes to this folder of its maildrop instead of removing it, unless
    /// it was there already.
    #[must_use]
    pub fn with_trash(self, folder: Option<String>) -> Self {
        Self { trash: folder, ..self }
    }

    /// Counts a message whose header no blank line ends as if one did, and hands it out so. Each
    /// message's header is read once for that, by the first session that finds it.
    #[must_use]
    pub fn with_blank_lines(self, adds_blank_lines: bool) -> Self {
        Self { adds_blank_lines, ..self }
    }

    /// The same, whose snapshots tell which messages have a surrogate for clients without UTF-8.
    /// For that each message is read once in its life.
    #[must_use]
    pub fn with_surrogates(self) -> Self {
        Self { knows_surrogates: true, ..self }
    }

    /// Opens an owner's Maildir; see [`Store::open`](restante_maildrop::Store::open).
    ///
    /// # Errors
    /// [`OpenError`]; no lock is held then.
    pub fn open(&self, owner: &Owner, holder: &str) -> Result<Session, OpenError> {
        self.open_for(owner, Access::Exclusive, holder)
    }

    /// The same for a session that others may share the Maildir with.
    ///
    /// # Errors
    /// [`OpenError`]; no lock is held then.
    pub fn share(&self, owner: &Owner, holder: &str) -> Result<Session, OpenError> {
        self.open_for(owner, Access::Shared, holder)
    }

    fn open_for(&self, owner: &Owner, access: Access, holder: &str) -> Result<Session, OpenError> {
        let path = self.layout.maildrop(owner).map_err(unusable)?;
        let home = match (owner.folder(), path.parent()) {
            (Some(_), Some(home)) => home.to_owned(),
            _ => path.clone(),
        };
        let trash = self.trash.as_ref().map(|folder| Trash::new(&home, folder));
        let trash = trash.map(|trash| trash.ok_or_else(|| unusable(NoPlace::Unusable)));
        let trash = trash.transpose()?.filter(|trash| trash.path() != path);
        let maildir = Maildir::new(path);
        // A maildrop is made by its first delivery; a folder that is not there is a typing error.
        if owner.folder().is_some() {
            self.intake.host.fs.stat(maildir.path()).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => OpenError::Permanent(error),
                _ => OpenError::Temporary(error),
            })?;
        }
        let lock = self.locks.take(&maildir, access, holder)?;
        let policy = Policy {
            trash,
            adds_blank_lines: self.adds_blank_lines,
            knows_surrogates: self.knows_surrogates,
        };
        Session::open(self.intake.host.clone(), maildir, &home, policy, lock)
    }

    /// Begins a delivery; see [`Store::deliver`](restante_maildrop::Store::deliver).
    ///
    /// # Errors
    /// [`DeliverError::Permanent`] when the owner has no place in the layout; everything else may
    /// pass, and mail is not sent back for it.
    pub fn deliver(&self, owner: &Owner) -> Result<Incoming, DeliverError> {
        let path = self
            .layout
            .maildrop(owner)
            .map_err(|problem| DeliverError::Permanent(std::io::Error::other(problem)))?;
        let (intake, maildir) = (Arc::clone(&self.intake), Maildir::new(path));
        Incoming::begin(intake, maildir, self.layout.root(), None).map_err(DeliverError::Temporary)
    }
}

fn unusable(problem: NoPlace) -> OpenError {
    OpenError::Permanent(std::io::Error::other(problem))
}

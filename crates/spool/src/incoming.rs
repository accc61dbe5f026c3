//! A message on its way into a Maildir: the blocking side of a
//! [`Delivery`](restante_maildrop::Delivery).
//!
//! In: message bytes with any line ends, any chunking. Out: a file with LF line ends, first in
//! `tmp/` and, once whole and durable, in `new/`. On any error, and when it is dropped, the
//! temporary file goes and nothing is visible. Memory does not grow with the message.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restante_host::{File, durable};
use restante_maildrop::{MessageKey, Receipt};
use restante_proto::dot::{Counter, ToLf};

use crate::intake::{Begun, Intake, NAMES_MAX};
use crate::maildir::{Maildir, Place};
use crate::name::{self, Stem};

/// A message that is being written.
#[derive(Debug)]
pub struct Incoming {
    intake: Arc<Intake>,
    maildir: Maildir,
    key: Option<MessageKey>,
    stem: Stem,
    temporary: PathBuf,
    /// Taken by the error or the end.
    file: Option<Box<dyn File>>,
    to_lf: ToLf,
    counter: Counter,
    buffer: Vec<u8>,
    file_octets: u64,
}

impl Incoming {
    pub(crate) fn begin(
        intake: Arc<Intake>,
        maildir: Maildir,
        root: &Path,
        key: Option<MessageKey>,
    ) -> io::Result<Self> {
        let Begun { stem, temporary, file } = intake.begin(&maildir, root, key.as_ref())?;
        Ok(Self {
            intake,
            maildir,
            key,
            stem,
            temporary,
            file: Some(file),
            to_lf: ToLf::default(),
            counter: Counter::default(),
            buffer: Vec::new(),
            file_octets: 0,
        })
    }

    /// Whether so many more octets fit into memory, so that [`Incoming::write`] will not block.
    #[must_use]
    pub fn has_room(&self, octets: usize) -> bool {
        self.buffer.len().saturating_add(octets) < BUFFER_OCTETS
    }

    /// Adds bytes to the message.
    ///
    /// # Errors
    /// As the system calls; the message can only be dropped then.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(BUFFER_OCTETS) {
            self.counter.push(chunk);
            self.to_lf.push(chunk, &mut self.buffer);
            if self.buffer.len() >= BUFFER_OCTETS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Makes the message visible, once it would survive a power cut.
    ///
    /// # Errors
    /// As the system calls; nothing is visible then.
    pub fn finish(mut self) -> io::Result<Receipt> {
        std::mem::take(&mut self.to_lf).finish(&mut self.buffer);
        self.flush()?;
        let octets = std::mem::take(&mut self.counter).finish();
        let file = self.file.take().ok_or_else(abandoned)?;
        let sized = |stem: &Stem| {
            let name = stem.sized(self.file_octets, octets.to_u64());
            self.maildir.message(Place::New, name.as_bytes())
        };
        let first = std::iter::once_with(|| Ok(sized(&self.stem)));
        let others = std::iter::repeat_with(|| {
            self.intake.namer.stem(self.key.as_ref()).map(|stem| sized(&stem))
        });
        let mut names = first.chain(others).take(NAMES_MAX);
        let fs = &*self.intake.host.fs;
        let path = durable::publish_as(fs, file, &self.temporary, &mut names)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let unique_id = Some(name::unique_id(name.as_bytes()));
        Ok(Receipt { name, unique_id, octets })
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(abandoned()) };
        if let Err(error) = file.write_all(&self.buffer) {
            self.discard();
            return Err(error);
        }
        self.file_octets += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn discard(&mut self) {
        if self.file.take().is_some()
            && let Err(error) = self.intake.host.fs.unlink(&self.temporary)
        {
            let path = self.temporary.display();
            tracing::warn!(%path, %error, "cannot remove an unfinished delivery");
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.discard();
    }
}

fn abandoned() -> io::Error {
    io::Error::other("an earlier write of this message failed")
}

/// Large enough that the calls do not count, small enough for thousands of deliveries at once.
const BUFFER_OCTETS: usize = 64 * 1024;

//! A message's bytes as a store hands them out: an opaque ticket to the session, read by the
//! server's `wire`.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use restante_host::ReadAt;

/// A message's bytes in whatever line ends the store keeps; the reader makes them canonical.
#[derive(Clone)]
pub struct Body {
    source: Source,
}

/// Where a body's bytes are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In memory.
    Bytes(Bytes),
    /// A whole file. It stays readable when the name is removed meanwhile.
    File(Arc<dyn ReadAt>),
}

impl Body {
    /// A body from `source`.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self { source }
    }

    /// Where the bytes are.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Reads up to `buffer.len()` octets at `offset`; 0 is the end. Blocks when it is a file.
    ///
    /// # Errors
    /// As the file.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, BodyError> {
        match &self.source {
            Source::Bytes(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
                let rest = rest.unwrap_or_default();
                let read = rest.len().min(buffer.len());
                if let (Some(to), Some(from)) = (buffer.get_mut(..read), rest.get(..read)) {
                    to.copy_from_slice(from);
                }
                Ok(read)
            }
            Source::File(file) => file.read_at(buffer, offset).map_err(BodyError),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Source::File(_) => f.write_str("Body(file)"),
        }
    }
}

/// A body could not be read on.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the message")]
pub struct BodyError(#[source] pub io::Error);

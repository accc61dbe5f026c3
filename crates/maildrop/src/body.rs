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
    octets: Option<u64>,
    needs_blank_line: bool,
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
        Self { source, octets: None, needs_blank_line: false }
    }

    /// A body of so many octets in the form the store keeps. Reading to an earlier or a later end
    /// is an error: whoever changes the source meanwhile makes the message neither short nor long.
    #[must_use]
    pub const fn of_octets(source: Source, octets: u64) -> Self {
        Self { source, octets: Some(octets), needs_blank_line: false }
    }

    /// The same body for a reader who adds an empty line at its end, which was counted in the size
    /// that was listed: its header does not end with one.
    #[must_use]
    pub fn with_blank_line(self, needed: bool) -> Self {
        Self { needs_blank_line: needed, ..self }
    }

    /// Whether the reader has to add an empty line.
    #[must_use]
    pub const fn needs_blank_line(&self) -> bool {
        self.needs_blank_line
    }

    /// Where the bytes are.
    #[must_use]
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// Reads up to `buffer.len()` octets at `offset`; 0 is the end. Blocks when it is a file.
    ///
    /// # Errors
    /// As the file, and when it does not end where it has to.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, BodyError> {
        let read = self.read_source(buffer, offset)?;
        let end = offset.saturating_add(read as u64);
        let changed = self.octets.is_some_and(|octets| {
            let too_short = read == 0 && !buffer.is_empty() && end < octets;
            too_short || read > 0 && end > octets
        });
        if changed { Err(BodyError(io::Error::other(CHANGED))) } else { Ok(read) }
    }

    fn read_source(&self, buffer: &mut [u8], offset: u64) -> Result<usize, BodyError> {
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

const CHANGED: &str = "its size changed while it was read";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s24_a_body_of_known_size_ends_there_or_is_an_error() {
        let source = || Source::Bytes(Bytes::from_static(b"12345"));
        let mut buffer = [0; 4];
        for (octets, first, second, end) in [
            (None, Some(4), Some(1), Some(0)),
            (Some(5), Some(4), Some(1), Some(0)),
            (Some(6), Some(4), Some(1), None),
            (Some(4), Some(4), None, Some(0)),
            (Some(3), None, None, Some(0)),
        ] {
            let body = Body { source: source(), octets, needs_blank_line: false };
            for (offset, read) in [(0, first), (4, second), (5, end)] {
                assert_eq!(body.read_at(&mut buffer, offset).ok(), read, "{octets:?} at {offset}");
            }
            assert_eq!(body.read_at(&mut [], 0).unwrap(), 0);
        }
    }
}

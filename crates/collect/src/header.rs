//! A message's header by its hash: what a message is known again by when its unique-id changed.
//!
//! In: the message from its beginning, in any chunking, or what `TOP n 0` sends of it. Out:
//! SHA-256 over the header's octets without the blank line, which not every server sends. Bounded:
//! of a header that has no end its first 64 KiB count.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use restante_proto::Extent;
use restante_proto::top::Cutter;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWrite;

use crate::key::Hash;

/// A header on its way.
#[derive(Debug)]
pub(crate) struct Header {
    cutter: Cutter,
    octets: Vec<u8>,
}

impl Default for Header {
    fn default() -> Self {
        Self { cutter: Cutter::new(Extent::Top { body_lines: 0 }), octets: Vec::new() }
    }
}

impl Header {
    /// Takes the next octets of the message; what lies behind the header is passed over.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        if self.cutter.is_done() {
            return;
        }
        let taken = self.cutter.take(chunk).min(HEADER_OCTETS_MAX - self.octets.len());
        self.octets.extend_from_slice(chunk.get(..taken).unwrap_or_default());
    }

    /// The hash.
    pub(crate) fn finish(self) -> Hash {
        let end = self.octets.iter().rposition(|octet| !b"\r\n".contains(octet));
        let header = self.octets.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
        Sha256::digest(header).into()
    }
}

/// Takes a message from a connection.
impl AsyncWrite for Header {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        chunk: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().push(chunk);
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const HEADER_OCTETS_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(message: &str, chunk: usize) -> Hash {
        let mut header = Header::default();
        message.as_bytes().chunks(chunk).for_each(|chunk| header.push(chunk));
        header.finish()
    }

    #[test]
    fn only_the_header_counts_in_any_chunking() {
        let top = hash("A: b\r\nC: d\r\n\r\n", 1000);
        for message in
            ["A: b\r\nC: d\r\n\r\nbody\r\n", "A: b\r\nC: d\r\n", "A: b\r\nC: d\r\n\r\n.."]
        {
            for chunk in 1..message.len() {
                assert_eq!(hash(message, chunk), top, "{message:?} in chunks of {chunk}");
            }
        }
        assert_ne!(hash("A: b\r\nC: e\r\n\r\n", 7), top);
        assert_eq!(hash("", 1), hash("\r\n\r\n", 1));
        let [long, longer] = [20_000, 30_000].map(|lines| "A: b\r\n".repeat(lines));
        assert_eq!(hash(&long, 1000), hash(&longer, 999));
    }
}

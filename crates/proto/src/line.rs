//! Bounded lines out of a byte stream (RFC 1939 section 3, RFC 2449 section 4).
//!
//! In: bytes in any chunking. Out: one line at a time without its line end, which is CRLF or, to
//! be tolerant, a bare LF; a bare CR never ends a line. A line over the limit is read to its end
//! and reported once, so that both sides stay in step; only the limit is ever buffered.

use bytes::{Buf, BytesMut};
use memchr::memchr;

/// Splits lines of at most a given length.
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    /// Octets of an over-long line already thrown away; 0 outside one.
    discarded: usize,
    /// Octets already searched for a LF in the buffer.
    searched: usize,
    /// The last whole line had no CR before its LF.
    bare: bool,
}

/// What the splitter found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line, without its line end.
    Whole(BytesMut),
    /// A line over the limit has ended; its text is gone.
    TooLong {
        /// How long it was, with its line end.
        octets: usize,
    },
}

impl Splitter {
    /// The next line of at most `octets_max` octets including its line end. `None`: more bytes
    /// are needed. `input` never has to hold more than `octets_max` octets for this to go on.
    pub fn next_line(&mut self, input: &mut BytesMut, octets_max: usize) -> Option<Line> {
        let unsearched = input.get(self.searched..).unwrap_or_default();
        let Some(lf) = memchr(b'\n', unsearched) else {
            if self.discarded > 0 || input.len() > octets_max {
                self.discarded = self.discarded.saturating_add(input.len());
                input.clear();
            }
            self.searched = input.len();
            return None;
        };
        let end = self.searched.saturating_add(lf).saturating_add(1);
        self.searched = 0;
        if self.discarded > 0 || end > octets_max {
            input.advance(end);
            let octets = std::mem::take(&mut self.discarded).saturating_add(end);
            return Some(Line::TooLong { octets });
        }
        let mut line = input.split_to(end);
        line.truncate(line.len().saturating_sub(1));
        self.bare = line.last() != Some(&b'\r');
        if !self.bare {
            line.truncate(line.len().saturating_sub(1));
        }
        Some(Line::Whole(line))
    }

    /// Whether the line that was whole last ended with a bare LF.
    #[must_use]
    pub fn ended_bare(&self) -> bool {
        self.bare
    }

    /// How much of a line that is still going on has been thrown away.
    #[must_use]
    pub fn discarded(&self) -> usize {
        self.discarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(input: &[u8], octets_max: usize, chunk: usize) -> Vec<Line> {
        let (mut splitter, mut buffer, mut lines) =
            (Splitter::default(), BytesMut::new(), Vec::new());
        for chunk in input.chunks(chunk) {
            buffer.extend_from_slice(chunk);
            lines.extend(std::iter::from_fn(|| splitter.next_line(&mut buffer, octets_max)));
            assert!(buffer.len() <= octets_max);
        }
        lines
    }

    fn whole(line: &str) -> Line {
        Line::Whole(line.as_bytes().into())
    }

    #[test]
    fn s2_lines_split_the_same_in_any_chunking() {
        let input = b"STAT\r\nNOOP\nA\rB\r\n\r\n123456789\r\n1234567\r\nno end";
        let lines = [
            whole("STAT"),
            whole("NOOP"),
            whole("A\rB"),
            whole(""),
            Line::TooLong { octets: 11 },
            whole("1234567"),
        ];
        for chunk in 1..=input.len() {
            assert_eq!(split(input, 9, chunk), lines, "chunks of {chunk}");
        }
    }

    #[test]
    fn s2_an_endless_line_is_never_buffered() {
        let (mut splitter, mut buffer) = (Splitter::default(), BytesMut::new());
        for sent in 1..=1000_usize {
            buffer.extend_from_slice(&[b'x'; 100]);
            assert_eq!(splitter.next_line(&mut buffer, 255), None);
            assert!(buffer.len() <= 255);
            assert_eq!(splitter.discarded() + buffer.len(), sent * 100);
        }
    }
}

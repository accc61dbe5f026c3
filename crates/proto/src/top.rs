//! Where `TOP n k` cuts a message (RFC 1939 section 7): the header, the blank line, `k` lines.
//!
//! In: message bytes in any chunking. Out: how many octets of each chunk belong to the reply.

use memchr::memchr;

use crate::Extent;

/// Cuts a message to an [`Extent`].
#[derive(Debug, Clone)]
pub struct Cutter {
    place: Place,
    body_lines: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the header, with what the current line holds so far.
    Header(Line),
    Body,
    Done,
    /// The whole message is wanted.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    Cr,
    Text,
}

impl Cutter {
    /// A cutter for `extent`.
    #[must_use]
    pub fn new(extent: Extent) -> Self {
        match extent {
            Extent::Whole => Self { place: Place::Open, body_lines: 0 },
            Extent::Top { body_lines } => Self { place: Place::Header(Line::Empty), body_lines },
        }
    }

    /// How many octets of the next chunk belong to the reply.
    pub fn take(&mut self, chunk: &[u8]) -> usize {
        let mut rest = chunk;
        loop {
            match self.place {
                Place::Open => return chunk.len(),
                Place::Done => break,
                Place::Body if self.body_lines == 0 => self.place = Place::Done,
                Place::Header(_) | Place::Body => {
                    let Some(lf) = memchr(b'\n', rest) else {
                        if let Place::Header(line) = self.place {
                            self.place = Place::Header(line.with(rest));
                        }
                        rest = &[];
                        break;
                    };
                    let (text, tail) = rest.split_at(lf);
                    self.end_line(text);
                    rest = tail.get(1..).unwrap_or_default();
                }
            }
        }
        chunk.len().saturating_sub(rest.len())
    }

    /// Whether the rest of the message is not wanted.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    fn end_line(&mut self, text: &[u8]) {
        match self.place {
            Place::Header(line) if line.with(text) != Line::Text => self.place = Place::Body,
            Place::Header(_) => self.place = Place::Header(Line::Empty),
            _ => self.body_lines = self.body_lines.saturating_sub(1),
        }
        if self.place == Place::Body && self.body_lines == 0 {
            self.place = Place::Done;
        }
    }
}

impl Line {
    fn with(self, text: &[u8]) -> Self {
        match (self, text) {
            (line, []) => line,
            (Self::Empty, b"\r") => Self::Cr,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `message` whole and at every pair of chunks, and compares.
    fn check(message: &str, body_lines: u64, expected: &str) {
        for cut in 0..=message.len() {
            let mut cutter = Cutter::new(Extent::Top { body_lines });
            let mut reply = Vec::new();
            let (first, second) = message.as_bytes().split_at(cut);
            for chunk in [first, second] {
                let taken = cutter.take(chunk);
                reply.extend_from_slice(&chunk[..taken]);
            }
            assert_eq!(String::from_utf8_lossy(&reply), expected, "cut at {cut}");
        }
    }

    #[test]
    fn s28_top_counts_body_lines_after_the_blank_line() {
        let message = "A: b\nC: d\n\none\ntwo\nthree";
        check(message, 0, "A: b\nC: d\n\n");
        check(message, 1, "A: b\nC: d\n\none\n");
        check(message, 2, "A: b\nC: d\n\none\ntwo\n");
        check(message, 3, message);
        check(message, u64::MAX, message);
        check("A: b\r\n\r\none\r\n", 0, "A: b\r\n\r\n");
        check("\none\n", 0, "\n");
        check("", 5, "");
    }

    #[test]
    fn s28_without_blank_line_or_body_the_header_is_all() {
        check("A: b\nC: d\n", 0, "A: b\nC: d\n");
        check("A: b\n\n", 7, "A: b\n\n");
        check("A: b\n\r\r\nC: d\n", 0, "A: b\n\r\r\nC: d\n");
    }

    #[test]
    fn whole_takes_everything() {
        let mut cutter = Cutter::new(Extent::Whole);
        assert_eq!(cutter.take(b"A: b\n\nbody"), 10);
        assert!(!cutter.is_done());
    }
}

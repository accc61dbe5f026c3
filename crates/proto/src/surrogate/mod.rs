//! The surrogate of an internationalised message, for clients that did not ask for UTF-8 (RFC 6856
//! section 2.1; RFC 6858).
//!
//! In: message bytes in any chunking and with any line ends. Out: the same message with ASCII
//! headers, its own, those of its MIME parts and of the messages in it; bodies stay as they are.
//! A field in another 8-bit charset than UTF-8 stays too: nobody knows which it is, and RFC 6532
//! is not about it. Nothing can fail; one field is buffered at a time. What is signed
//! (multipart/signed) is not touched, or the signature would be worth nothing.

mod address;
mod field;
mod parameter;
mod word;

use memchr::memchr;

use crate::Octets;
use crate::dot::Counter;
use field::Structure;

/// Turns a message into its surrogate.
#[derive(Debug, Clone)]
pub struct Surrogate {
    place: Place,
    /// The beginning of a line of which something depends on the rest.
    line: Vec<u8>,
    /// The rest of the current line passes.
    passing: bool,
    /// Whole lines of the header field that comes in.
    field: Vec<u8>,
    /// The field is too long to be kept and passes.
    long: bool,
    /// What the header that comes in says of what follows it.
    structure: Structure,
    /// Of the multipart entities around, from the outermost.
    boundaries: Vec<Vec<u8>>,
    differs: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    Body,
    /// No header comes any more.
    Rest,
}

impl Default for Surrogate {
    fn default() -> Self {
        Self {
            place: Place::Header,
            line: Vec::new(),
            passing: false,
            field: Vec::new(),
            long: false,
            structure: Structure::default(),
            boundaries: Vec::new(),
            differs: false,
        }
    }
}

impl Surrogate {
    /// Appends the surrogate of the next chunk to `out`, as far as it is known already.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while let Some(&first) = chunk.first() {
            if self.place == Place::Rest {
                out.extend_from_slice(chunk);
                return;
            }
            let line = memchr(b'\n', chunk).map_or(chunk.len(), |lf| lf.saturating_add(1));
            let (piece, rest) = chunk.split_at_checked(line).unwrap_or((chunk, &[]));
            let ends = piece.ends_with(b"\n");
            chunk = rest;
            if self.passing {
                out.extend_from_slice(piece);
                self.passing = !ends;
                continue;
            }
            match self.place {
                Place::Header => self.header_piece(piece, ends, out),
                Place::Body if self.line.is_empty() && first != b'-' => {
                    out.extend_from_slice(piece);
                    self.passing = !ends;
                }
                Place::Body | Place::Rest => self.body_piece(piece, ends, out),
            }
        }
    }

    /// Ends the message and says whether the surrogate is another message at all.
    pub fn finish(mut self, out: &mut Vec<u8>) -> bool {
        if self.place == Place::Header {
            let line = std::mem::take(&mut self.line);
            self.field.extend_from_slice(&line);
            self.end_field(out);
        }
        out.extend_from_slice(&self.line);
        self.differs
    }

    fn header_piece(&mut self, piece: &[u8], ends: bool, out: &mut Vec<u8>) {
        self.line.extend_from_slice(piece);
        if !matches!(self.line.first(), Some(b' ' | b'\t')) {
            self.end_field(out);
        }
        self.long |= self.field.len().saturating_add(self.line.len()) > FIELD_OCTETS_MAX;
        if self.long {
            out.append(&mut self.field);
            out.append(&mut self.line);
            self.passing = !ends;
        } else if ends {
            let mut line = std::mem::take(&mut self.line);
            if matches!(line.as_slice(), b"\n" | b"\r\n") {
                out.append(&mut line);
                self.end_header();
            } else if self.part_begins_or_ends(&line) {
                out.append(&mut line);
            } else {
                self.field.append(&mut line);
            }
        }
    }

    fn body_piece(&mut self, piece: &[u8], ends: bool, out: &mut Vec<u8>) {
        self.line.extend_from_slice(piece);
        let head = self.line.get(..2).unwrap_or(b"--");
        let hopeless = head != b"--" || self.line.len() > BOUNDARY_LINE_OCTETS_MAX;
        if ends || hopeless {
            let mut line = std::mem::take(&mut self.line);
            self.passing = !ends;
            if !hopeless {
                self.part_begins_or_ends(&line);
            }
            out.append(&mut line);
        }
    }

    fn end_field(&mut self, out: &mut Vec<u8>) {
        self.long = false;
        let mut field = std::mem::take(&mut self.field);
        if field.is_empty() {
            return;
        }
        self.structure.learn(&field);
        match field::surrogate(&field) {
            None => out.append(&mut field),
            Some(mut surrogate) => {
                self.differs = true;
                out.append(&mut surrogate);
            }
        }
    }

    fn end_header(&mut self) {
        let structure = std::mem::take(&mut self.structure);
        if structure.holds_message() {
            return;
        }
        if self.boundaries.len() < DEPTH_MAX {
            self.boundaries.extend(structure.into_boundary());
        }
        self.place = if self.boundaries.is_empty() { Place::Rest } else { Place::Body };
    }

    /// Whether `line` is a delimiter (RFC 2046 section 5.1.1) of an entity around; if so, what
    /// follows is a part's header, or behind the last part.
    fn part_begins_or_ends(&mut self, line: &[u8]) -> bool {
        let Some(text) = line.trim_ascii_end().strip_prefix(b"--") else { return false };
        let last = text.strip_suffix(b"--");
        let depth = |text: &[u8]| self.boundaries.iter().rposition(|boundary| boundary == text);
        if let Some(depth) = depth(text) {
            self.boundaries.truncate(depth.saturating_add(1));
            self.place = Place::Header;
        } else if let Some(depth) = last.and_then(depth) {
            self.boundaries.truncate(depth);
            self.place = if depth == 0 { Place::Rest } else { Place::Body };
        } else {
            return false;
        }
        self.structure = Structure::default();
        true
    }
}

/// Counts the octets of a message's surrogate, where it has one, as RFC 1939 section 11 counts.
#[derive(Debug, Clone, Default)]
pub struct SurrogateCounter {
    surrogate: Surrogate,
    counter: Counter,
    buffer: Vec<u8>,
}

impl SurrogateCounter {
    /// Counts the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.surrogate.push(chunk, &mut self.buffer);
        self.counter.push(&self.buffer);
        self.buffer.clear();
    }

    /// The octets of the whole surrogate; `None` when the message needs none.
    #[must_use]
    pub fn finish(mut self) -> Option<Octets> {
        let differs = self.surrogate.finish(&mut self.buffer);
        self.counter.push(&self.buffer);
        differs.then(|| self.counter.finish())
    }
}

/// A header field; a longer one passes as it is.
const FIELD_OCTETS_MAX: usize = 64 * 1024;
/// A boundary has 70 octets (RFC 2046 section 5.1.1); some have more.
const BOUNDARY_LINE_OCTETS_MAX: usize = 512;
/// Multipart entities in each other; headers deeper inside pass as they are.
const DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests;

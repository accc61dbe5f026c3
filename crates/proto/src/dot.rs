//! Dot-stuffing (RFC 1939 section 3), both ways.
//!
//! [`Stuffer`]: in, message bytes in any chunking and with any line ends; out, wire bytes: every
//! line ends CRLF and a line that begins with "." has another one before it. A bare LF becomes
//! CRLF *before* stuffing, or a body line "." ended by a bare LF would end the reply on clients
//! that split at LF; a bare CR stays as it is. [`Unstuffer`] is the inverse and finds the end.
//! [`Counter`] gives the octets RFC 1939 section 11 counts, without producing them.
//! Nothing here can fail; nothing is buffered but a few flags.

use memchr::memchr;

use crate::Octets;

/// Turns a message into the body of a multi-line reply.
#[derive(Debug, Clone)]
pub struct Stuffer {
    line_start: bool,
    after_cr: bool,
}

impl Default for Stuffer {
    fn default() -> Self {
        Self { line_start: true, after_cr: false }
    }
}

impl Stuffer {
    /// Appends the wire form of the next chunk to `wire`.
    pub fn push(&mut self, mut chunk: &[u8], wire: &mut Vec<u8>) {
        while let Some(&first) = chunk.first() {
            if self.line_start && first == b'.' {
                wire.push(b'.');
            }
            let Some(lf) = memchr(b'\n', chunk) else {
                wire.extend_from_slice(chunk);
                self.line_start = false;
                self.after_cr = chunk.last() == Some(&b'\r');
                return;
            };
            let (line, rest) = chunk.split_at(lf);
            wire.extend_from_slice(line);
            let ends_in_cr = line.last().map_or(self.after_cr, |&last| last == b'\r');
            wire.extend_from_slice(if ends_in_cr { b"\n" } else { b"\r\n" });
            self.line_start = true;
            self.after_cr = false;
            chunk = rest.get(1..).unwrap_or_default();
        }
    }

    /// Ends the last line if the message did not, and appends an empty one: two octets more than
    /// [`Counter`] counts.
    pub fn push_empty_line(&mut self, wire: &mut Vec<u8>) {
        if !self.line_start {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        (self.line_start, self.after_cr) = (true, false);
    }

    /// Ends the last line if the message did not, and appends the terminator.
    pub fn finish(self, wire: &mut Vec<u8>) {
        if !self.line_start {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
    }
}

/// Counts a message's octets as [`Stuffer`] would send them, less stuffing and terminator.
#[derive(Debug, Clone)]
pub struct Counter {
    octets: u64,
    at_line_start: bool,
    after_cr: bool,
}

impl Default for Counter {
    fn default() -> Self {
        Self { octets: 0, at_line_start: true, after_cr: false }
    }
}

impl Counter {
    /// Counts the next chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        let Some(&last) = chunk.last() else { return };
        let mut bare = 0_u64;
        for lf in memchr::memchr_iter(b'\n', chunk) {
            let after_cr = match lf.checked_sub(1) {
                Some(before) => chunk.get(before) == Some(&b'\r'),
                None => self.after_cr,
            };
            bare = bare.saturating_add(u64::from(!after_cr));
        }
        self.octets = self.octets.saturating_add(chunk.len() as u64).saturating_add(bare);
        self.at_line_start = last == b'\n';
        self.after_cr = last == b'\r';
    }

    /// The octets of the whole message.
    #[must_use]
    pub fn finish(self) -> Octets {
        let missing_end = if self.at_line_start { 0 } else { 2 };
        Octets::new(self.octets.saturating_add(missing_end))
    }
}

/// Turns the body of a multi-line reply back into the message and finds its end.
///
/// A line is ended by LF; the CR before it belongs to the line end. A line of "." alone ends the
/// body. That also takes `.LF`, which some servers send (MailKit), for the end: no conforming
/// server sends it otherwise, as a line "." in a message is stuffed.
#[derive(Debug, Clone, Default)]
pub struct Unstuffer {
    state: Unstuffing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Unstuffing {
    #[default]
    LineStart,
    /// After the dot that begins a line.
    Dot,
    /// After a dot that begins a line and a CR.
    DotCr,
    InLine,
    Done,
}

impl Unstuffer {
    /// Appends the message bytes of the next chunk to `message` and returns how many octets of
    /// the chunk belong to the body; what is left behind the terminator belongs to the next
    /// reply. Once [`Unstuffer::is_done`] nothing more is taken.
    pub fn push(&mut self, chunk: &[u8], message: &mut Vec<u8>) -> usize {
        let mut rest = chunk;
        while let Some((&first, tail)) = rest.split_first() {
            match self.state {
                Unstuffing::Done => break,
                Unstuffing::LineStart if first == b'.' => {
                    self.state = Unstuffing::Dot;
                    rest = tail;
                }
                Unstuffing::Dot if first == b'\r' => {
                    self.state = Unstuffing::DotCr;
                    rest = tail;
                }
                Unstuffing::Dot | Unstuffing::DotCr if first == b'\n' => {
                    self.state = Unstuffing::Done;
                    rest = tail;
                }
                Unstuffing::DotCr => {
                    // ".CR" with no LF behind it is a stuffed line that begins with a bare CR.
                    message.push(b'\r');
                    self.state = Unstuffing::InLine;
                }
                Unstuffing::LineStart | Unstuffing::Dot | Unstuffing::InLine => {
                    let line = memchr(b'\n', rest).map_or(rest.len(), |lf| lf.saturating_add(1));
                    let (line, tail) = rest.split_at_checked(line).unwrap_or((rest, &[]));
                    message.extend_from_slice(line);
                    self.state = if line.ends_with(b"\n") {
                        Unstuffing::LineStart
                    } else {
                        Unstuffing::InLine
                    };
                    rest = tail;
                }
            }
        }
        chunk.len().saturating_sub(rest.len())
    }

    /// Whether the terminator has been seen: only then is the message whole.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == Unstuffing::Done
    }
}

/// Turns CRLF line ends into LF, as mail is kept on a Unix disk, so that [`Stuffer`] gives the
/// same wire form as for the message itself: `CR CR LF` stays, or its first CR would be lost.
#[derive(Debug, Clone, Default)]
pub struct ToLf {
    /// A CR held back until the next octet shows whether it belongs to a line end.
    held: bool,
    /// The octet before the held CR (or the last one) was a CR that was kept.
    after_cr: bool,
}

impl ToLf {
    /// Appends the disk form of the next chunk to `disk`.
    pub fn push(&mut self, mut chunk: &[u8], disk: &mut Vec<u8>) {
        while let Some((&first, tail)) = chunk.split_first() {
            if self.held {
                self.held = false;
                if first == b'\n' && !self.after_cr {
                    disk.push(b'\n');
                    chunk = tail;
                    continue;
                }
                disk.push(b'\r');
                self.after_cr = true;
                continue;
            }
            if first == b'\r' {
                self.held = true;
                chunk = tail;
                continue;
            }
            let run = memchr(b'\r', chunk).unwrap_or(chunk.len());
            let (run, rest) = chunk.split_at_checked(run).unwrap_or((chunk, &[]));
            disk.extend_from_slice(run);
            self.after_cr = false;
            chunk = rest;
        }
    }

    /// Appends what was held back at the end of the message.
    pub fn finish(self, disk: &mut Vec<u8>) {
        if self.held {
            disk.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Messages of the octets that matter.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"\r\n..A\0".to_vec()), 0..40)
    }

    fn chunks<'a>(bytes: &'a [u8], cuts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = bytes;
        let mut cuts = cuts.iter();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let cut = cuts.next().map_or(rest.len(), |cut| (*cut).clamp(1, rest.len()));
            let (chunk, tail) = rest.split_at(cut);
            rest = tail;
            Some(chunk)
        })
    }

    fn stuff(message: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut stuffer, mut wire) = (Stuffer::default(), Vec::new());
        chunks(message, cuts).for_each(|chunk| stuffer.push(chunk, &mut wire));
        stuffer.finish(&mut wire);
        wire
    }

    fn unstuff(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, usize, bool) {
        let (mut unstuffer, mut message, mut used) = (Unstuffer::default(), Vec::new(), 0);
        for chunk in chunks(wire, cuts) {
            used += unstuffer.push(chunk, &mut message);
        }
        (message, used, unstuffer.is_done())
    }

    fn count(message: &[u8], cuts: &[usize]) -> u64 {
        let mut counter = Counter::default();
        chunks(message, cuts).for_each(|chunk| counter.push(chunk));
        counter.finish().to_u64()
    }

    fn to_lf(message: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut to_lf, mut disk) = (ToLf::default(), Vec::new());
        chunks(message, cuts).for_each(|chunk| to_lf.push(chunk, &mut disk));
        to_lf.finish(&mut disk);
        disk
    }

    /// The canonical form by the letter: RFC 1939 section 3, byte by byte.
    fn canonical(message: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        for &byte in message {
            if byte == b'\n' && wire.last() != Some(&b'\r') {
                wire.push(b'\r');
            }
            wire.push(byte);
        }
        if !wire.is_empty() && !wire.ends_with(b"\n") {
            wire.extend_from_slice(b"\r\n");
        }
        wire
    }

    /// An empty line is two octets more, whatever the message ended with.
    #[test]
    fn s24_an_empty_line_is_added_behind_an_ended_line() {
        for (message, wire) in [
            (&b""[..], &b"\r\n.\r\n"[..]),
            (b"A: b", b"A: b\r\n\r\n.\r\n"),
            (b"A: b\n", b"A: b\r\n\r\n.\r\n"),
            (b"A: b\r\n", b"A: b\r\n\r\n.\r\n"),
            (b"A: b\r", b"A: b\r\r\n\r\n.\r\n"),
        ] {
            let (mut stuffer, mut counter, mut sent) =
                (Stuffer::default(), Counter::default(), Vec::new());
            for octet in message.chunks(1) {
                stuffer.push(octet, &mut sent);
                counter.push(octet);
            }
            stuffer.push_empty_line(&mut sent);
            stuffer.finish(&mut sent);
            assert_eq!(sent, wire, "{message:?}");
            let counted = counter.finish().to_u64() + 2;
            assert_eq!(counted, sent.len() as u64 - b".\r\n".len() as u64);
        }
    }

    #[test]
    fn s7_s8_known_answers() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b".", b"..\r\n.\r\n"),
            (b"..", b"...\r\n.\r\n"),
            (b".x\n", b"..x\r\n.\r\n"),
            (b"a\n.\nQUIT\n", b"a\r\n..\r\nQUIT\r\n.\r\n"),
            (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
            (b"a\rb", b"a\rb\r\n.\r\n"),
            (b"a\r", b"a\r\r\n.\r\n"),
            (b"\r.\n", b"\r.\r\n.\r\n"),
            (b"\n\n", b"\r\n\r\n.\r\n"),
        ] {
            assert_eq!(stuff(message, &[]), wire, "{message:?}");
        }
    }

    #[test]
    fn c1_terminator_and_lenient_line_ends() {
        for (wire, message, used, done) in [
            (&b".\r\n"[..], &b""[..], 3, true),
            (b".\n+OK", b"", 2, true),
            (b"..\r\n.\r\n+OK", b".\r\n", 7, true),
            (b".\rx\r\n.\r\n", b"\rx\r\n", 8, true),
            (b".\r\r\n.\r\n", b"\r\r\n", 7, true),
            (b"a\n.", b"a\n", 3, false),
            (b"a.\r\n.\r", b"a.\r\n", 6, false),
        ] {
            assert_eq!(unstuff(wire, &[]), (message.to_vec(), used, done), "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn s8_c1_unstuffing_gives_the_canonical_form(
            message in message(), cuts in prop::collection::vec(1..6_usize, 0..40),
        ) {
            let wire = stuff(&message, &cuts);
            prop_assert_eq!(&wire, &stuff(&message, &[]));
            let with_next = [&wire[..], b"+OK next\r\n"].concat();
            let (back, used, done) = unstuff(&with_next, &cuts);
            prop_assert_eq!(back, canonical(&message));
            prop_assert_eq!((used, done), (wire.len(), true));
        }

        #[test]
        fn s24_count_is_the_canonical_length(
            message in message(), cuts in prop::collection::vec(1..6_usize, 0..40),
        ) {
            prop_assert_eq!(count(&message, &cuts), canonical(&message).len() as u64);
        }

        #[test]
        fn s25_disk_form_keeps_the_canonical_form(
            message in message(), cuts in prop::collection::vec(1..6_usize, 0..40),
        ) {
            let disk = to_lf(&message, &cuts);
            prop_assert_eq!(canonical(&disk), canonical(&message));
        }
    }
}

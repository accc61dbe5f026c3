//! What was said on the connections of one rule, fit to be shown: secrets replaced, long lines and
//! long replies cut.
//!
//! In: octets of either side, as they pass. Out: lines such as `1 C: STAT` (the number is the
//! connection's).

use std::cell::RefCell;
use std::rc::Rc;

use restante_proto::Secret;

/// The transcript all connections write to.
pub(crate) type Log = Rc<RefCell<Transcript>>;

/// What was said since the rule began.
#[derive(Debug)]
pub(crate) struct Transcript {
    lines: Vec<String>,
    omitted: usize,
    secrets: Vec<Secret<Vec<u8>>>,
}

impl Transcript {
    /// A transcript in which these never show.
    pub(crate) fn new(secrets: Vec<Secret<Vec<u8>>>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect();
        Self { lines: Vec::new(), omitted: 0, secrets }
    }

    /// Forgets what the rule before has said.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.omitted = 0;
    }

    /// Notes octets of one side of a connection, line by line.
    pub(crate) fn note(&mut self, connection: u32, side: char, octets: &[u8]) {
        let octets = self.masked(octets);
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            let shown = match line.strip_suffix(b"\r\n") {
                Some(text) => shorten(text),
                None => format!("{} (no CRLF)", shorten(line)),
            };
            self.push(format!("{connection} {side}: {shown}"));
        }
    }

    /// Notes what happened on a connection besides octets.
    pub(crate) fn remark(&mut self, connection: u32, what: &str) {
        self.push(format!("{connection} -- {what}"));
    }

    /// The lines: the first ones and the last ones, if there are many.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.lines.clone();
        if self.omitted > 0 {
            lines.insert(KEPT_FIRST.min(lines.len()), format!("[{} more lines]", self.omitted));
        }
        lines
    }

    fn push(&mut self, line: String) {
        if self.lines.len() >= KEPT_FIRST + KEPT_LAST {
            self.lines.remove(KEPT_FIRST);
            self.omitted += 1;
        }
        self.lines.push(line);
    }

    fn masked(&self, octets: &[u8]) -> Vec<u8> {
        let mut masked = octets.to_vec();
        for secret in &self.secrets {
            masked = replace(&masked, secret.expose());
        }
        masked
    }
}

fn replace(text: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        match rest.strip_prefix(secret) {
            Some(after) => {
                replaced.extend_from_slice(MASK);
                rest = after;
            }
            None => {
                replaced.push(*first);
                rest = behind;
            }
        }
    }
    replaced
}

/// Octets as text, escaped, and not longer than a screen is wide.
pub(crate) fn shorten(octets: &[u8]) -> String {
    match octets.get(..SHOWN_OCTETS_MAX) {
        Some(start) if octets.len() > SHOWN_OCTETS_MAX => {
            format!("{} [{} octets]", escape(start), octets.len())
        }
        _ => escape(octets),
    }
}

/// As text, with what does not print escaped; quotes and backslashes as they are.
fn escape(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        if octet == b' ' || octet.is_ascii_graphic() {
            text.push(char::from(octet));
        } else {
            text.extend(octet.escape_ascii().map(char::from));
        }
    }
    text
}

const MASK: &[u8] = b"<secret>";
const SHOWN_OCTETS_MAX: usize = 120;
const KEPT_FIRST: usize = 24;
const KEPT_LAST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_long_replies_do_not_show() {
        let mut transcript = Transcript::new(vec![Secret::new(b"hush".to_vec())]);
        transcript.note(1, 'C', b"PASS hush\r\n");
        transcript.note(1, 'S', b"-ERR no hush\xff\n");
        let shown = transcript.lines();
        assert_eq!(
            shown,
            ["1 C: PASS <secret>", "1 S: -ERR no <secret>\\xff\\n (no CRLF)"],
            "{shown:?}"
        );
        transcript.clear();
        for number in 0..100 {
            transcript.note(2, 'S', format!("{number}\r\n").as_bytes());
        }
        let shown = transcript.lines();
        assert_eq!(shown.len(), KEPT_FIRST + KEPT_LAST + 1);
        assert_eq!(shown[KEPT_FIRST], "[60 more lines]");
        assert_eq!(shown.last().unwrap(), "2 S: 99");
    }
}

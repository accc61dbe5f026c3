//! Encoded-words (RFC 2047) and folding (RFC 5322 section 2.2.3).
//!
//! In: text. Out: words of ASCII, and the lines they make up.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The words of a text of which only some need encoding.
pub(super) fn text(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let mut out = Vec::new();
    let mut rest = words.as_slice();
    let mut before = "";
    while let Some((first, tail)) = rest.split_first() {
        if first.is_ascii() {
            out.push((*first).to_owned());
            (before, rest) = (first, tail);
            continue;
        }
        // Readers drop the space between two encoded-words: a run of them has its spaces inside.
        let run = rest.iter().take_while(|word| !word.is_ascii()).count();
        let (run, tail) = rest.split_at_checked(run).unwrap_or((rest, &[]));
        let edge = |word: &str| if is_encoded(word) { " " } else { "" };
        let after = tail.first().copied().unwrap_or_default();
        out.extend(encoded(&format!("{}{}{}", edge(before), run.join(" "), edge(after))));
        (before, rest) = ("", tail);
    }
    out
}

/// The words of a name that is encoded as a whole, unless it holds encoded-words already.
pub(super) fn phrase(name: &str) -> Vec<String> {
    if name.contains("=?") { text(name) } else { encoded(name) }
}

/// `text` as encoded-words that a reader joins again.
fn encoded(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(WORD_OCTETS));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(piece)));
        rest = tail;
    }
    words
}

fn is_encoded(word: &str) -> bool {
    word.starts_with("=?") && word.ends_with("?=")
}

/// Lines of words.
#[derive(Debug)]
pub(super) struct Folded {
    lines: String,
    column: usize,
}

impl Folded {
    /// The field `name`, still without words.
    pub(super) fn new(name: &str) -> Self {
        let column = name.len().saturating_add(1);
        Self { lines: format!("{name}:"), column }
    }

    /// Adds a word.
    pub(super) fn push(&mut self, word: &str) {
        let end = self.column.saturating_add(word.len()).saturating_add(1);
        if end > LINE_OCTETS && !self.lines.ends_with(':') {
            self.lines.push_str("\r\n");
            self.column = 0;
        }
        self.lines.push(' ');
        self.lines.push_str(word);
        self.column = self.column.saturating_add(word.len()).saturating_add(1);
    }

    /// The field's lines.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.lines.push_str("\r\n");
        self.lines.into_bytes()
    }
}

/// Octets in an encoded-word: 60 characters of base64, 72 of the 75 that are allowed.
const WORD_OCTETS: usize = 45;
const LINE_OCTETS: usize = 76;

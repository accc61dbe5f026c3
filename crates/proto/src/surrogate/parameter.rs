//! MIME parameters (RFC 2045 section 5.1; RFC 2231 for what is not ASCII).
//!
//! In: the text behind `Content-Type:` and the like. Out: its parts, or its words in ASCII. RFC
//! 6858 would leave such a parameter out; RFC 2231 keeps the name of an attached file.

use std::fmt::Write;

/// A value and its parameters.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    /// What stands before the parameters.
    pub(super) head: &'a str,
    pub(super) list: Vec<Parameter<'a>>,
}

/// One parameter.
#[derive(Debug)]
pub(super) struct Parameter<'a> {
    name: &'a str,
    /// Without quotes.
    pub(super) value: String,
    source: &'a str,
}

impl<'a> Parameters<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut pieces = split(text).into_iter();
        let head = pieces.next().unwrap_or_default();
        let list = pieces.filter_map(|source| {
            let (name, value) = source.split_once('=')?;
            Some(Parameter { name: name.trim(), value: unquoted(value.trim()), source })
        });
        Self { head, list: list.collect() }
    }
}

impl Parameter<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The parameter in ASCII, in as many pieces as it takes; none when it has no such form.
    fn surrogate(&self) -> Vec<String> {
        if self.source.is_ascii() {
            return vec![self.source.split_ascii_whitespace().collect::<Vec<_>>().join(" ")];
        }
        if !self.name.is_ascii() || self.name.is_empty() || self.name.contains(['*', ' ', '\t']) {
            return Vec::new();
        }
        let mut pieces = vec![String::new()];
        for octet in self.value.bytes() {
            let full = pieces.last().is_some_and(|piece| piece.len() > PIECE_CHARACTERS);
            if full {
                pieces.push(String::new());
            }
            let Some(piece) = pieces.last_mut() else { continue };
            if octet.is_ascii_alphanumeric() || b"-._".contains(&octet) {
                piece.push(char::from(octet));
            } else {
                // Writing into memory does not fail.
                let _ = write!(piece, "%{octet:02X}");
            }
        }
        let alone = pieces.len() == 1;
        let named = pieces.iter().enumerate().map(|(index, piece)| {
            let charset = if index == 0 { "utf-8''" } else { "" };
            let name = self.name;
            if alone {
                format!("{name}*={charset}{piece}")
            } else {
                format!("{name}*{index}*={charset}{piece}")
            }
        });
        named.collect()
    }
}

/// The words of a value whose parameters are all in ASCII; nothing when the value itself has no
/// such form. `None`: without its boundary the message would come apart, so it stays.
pub(super) fn surrogate(text: &str) -> Option<Vec<String>> {
    let parameters = Parameters::of(text);
    let is_boundary =
        |parameter: &Parameter<'_>| parameter.is("boundary") && !parameter.value.is_ascii();
    if parameters.list.iter().any(is_boundary) {
        return None;
    }
    if !parameters.head.is_ascii() || parameters.head.is_empty() {
        return Some(Vec::new());
    }
    let mut words = vec![parameters.head.to_owned()];
    for piece in parameters.list.iter().flat_map(Parameter::surrogate) {
        if let Some(last) = words.last_mut() {
            last.push(';');
        }
        words.push(piece);
    }
    Some(words)
}

/// The pieces between semicolons that do not stand in quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let pieces = text.split(|c| {
        let ends = c == ';' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        ends
    });
    pieces.map(str::trim).collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let mut out = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => out.extend(characters.next()),
            c => out.push(c),
        }
    }
    out
}

/// After so many a value goes on in the next piece.
const PIECE_CHARACTERS: usize = 48;

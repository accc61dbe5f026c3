//! Address lists (RFC 5322 section 3.4, RFC 6532) for clients that know ASCII addresses alone.
//!
//! In: the text behind `From:` and the like. Out: its words. Names become encoded-words. An
//! address that is not ASCII becomes part of the name, so that its reader sees it, and a
//! placeholder stands in its place that reaches nobody (RFC 6858 section 2.1). A list that is not
//! well-formed is taken as far as it makes sense.

use super::word;

/// The address that RFC 6858 has for one that cannot be said.
pub(super) const NOBODY: &str = "invalid@internationalized-address.invalid";

/// The words of an address list.
pub(super) fn list(value: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut reader = Reader::default();
    let mut separator = "";
    for c in value.chars() {
        let end = reader.take(c);
        match end {
            None => {}
            Some(End::Group) => {
                let name = reader.group_name();
                push(&mut words, &mut separator, name);
                append(&mut words, ":");
            }
            Some(End::Mailbox) => {
                push(&mut words, &mut separator, reader.mailbox());
                separator = ",";
            }
            Some(End::GroupAndMailbox) => {
                push(&mut words, &mut separator, reader.mailbox());
                append(&mut words, ";");
                separator = ",";
            }
        }
        if end.is_some() {
            reader = Reader::default();
        }
    }
    push(&mut words, &mut separator, reader.mailbox());
    words
}

/// Adds an address's words behind those before it.
fn push(words: &mut Vec<String>, separator: &mut &str, more: Vec<String>) {
    if !more.is_empty() {
        append(words, separator);
        *separator = "";
        words.extend(more);
    }
}

fn append(words: &mut [String], mark: &str) {
    if let Some(last) = words.last_mut() {
        last.push_str(mark);
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    Mailbox,
    Group,
    GroupAndMailbox,
}

/// One element of the list, character by character.
#[derive(Debug, Default)]
struct Reader {
    /// As it stands there.
    source: String,
    /// What stands outside of angle brackets and comments, without quotes.
    phrase: String,
    /// The same with its quotes: an address without angle brackets.
    bare: String,
    angle: Option<String>,
    comment: String,
    within: Within,
    comments: usize,
    escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Within {
    #[default]
    Nothing,
    Quotes,
    Angle,
    QuotesInAngle,
}

impl Reader {
    fn take(&mut self, c: char) -> Option<End> {
        if self.comments == 0 && !self.escaped && self.within == Within::Nothing {
            match c {
                ',' => return Some(End::Mailbox),
                ':' => return Some(End::Group),
                ';' => return Some(End::GroupAndMailbox),
                _ => {}
            }
        }
        self.source.push(c);
        let escaped = std::mem::take(&mut self.escaped);
        let is_quoting = self.comments > 0 || self.within != Within::Nothing;
        if c == '\\' && !escaped && is_quoting {
            self.escaped = true;
            if self.comments == 0 {
                self.keep_bare(c);
            }
            return None;
        }
        if self.comments > 0 {
            match c {
                '(' if !escaped => self.comments = self.comments.saturating_add(1),
                ')' if !escaped => self.comments = self.comments.saturating_sub(1),
                _ => self.comment.push(c),
            }
            return None;
        }
        match (self.within, c) {
            (Within::Nothing, '(') => {
                self.comments = 1;
                self.comment.push(' ');
                return None;
            }
            (Within::Nothing, '<') => {
                self.within = Within::Angle;
                self.angle = Some(String::new());
                return None;
            }
            (Within::Angle, '>') => {
                self.within = Within::Nothing;
                return None;
            }
            (Within::Nothing, '"') => self.within = Within::Quotes,
            (Within::Quotes, '"') if !escaped => self.within = Within::Nothing,
            (Within::Angle, '"') => self.within = Within::QuotesInAngle,
            (Within::QuotesInAngle, '"') if !escaped => self.within = Within::Angle,
            (Within::Nothing | Within::Quotes, c) => self.phrase.push(c),
            (Within::Angle | Within::QuotesInAngle, _) => {}
        }
        self.keep_bare(c);
        None
    }

    fn keep_bare(&mut self, c: char) {
        match (self.within, &mut self.angle) {
            (Within::Angle | Within::QuotesInAngle, Some(angle)) => angle.push(c),
            _ => self.bare.push(c),
        }
    }

    fn mailbox(&self) -> Vec<String> {
        if self.source.is_ascii() {
            return self.source.split_ascii_whitespace().map(str::to_owned).collect();
        }
        let [phrase, bare, comment] =
            [&self.phrase, &self.bare, &self.comment].map(|text| tidy(text));
        let (name, address) = match &self.angle {
            Some(angle) => (phrase, tidy(angle)),
            None => (String::new(), bare),
        };
        let name = match (name.as_str(), comment.as_str()) {
            (name, "") => name.to_owned(),
            ("", comment) => comment.to_owned(),
            (name, comment) => format!("{name} ({comment})"),
        };
        let mut words = if address.is_ascii() {
            word::phrase(&name)
        } else if name.is_empty() {
            word::phrase(&address)
        } else {
            word::phrase(&format!("{name} <{address}>"))
        };
        let known = Some(address.as_str()).filter(|address| address.is_ascii());
        words.push(format!("<{}>", known.unwrap_or(NOBODY)));
        words
    }

    fn group_name(&self) -> Vec<String> {
        if self.source.is_ascii() {
            return self.source.split_ascii_whitespace().map(str::to_owned).collect();
        }
        word::phrase(&tidy(&self.phrase))
    }
}

/// Without white space around it, and with single spaces inside.
fn tidy(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

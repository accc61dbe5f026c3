//! One header field: what it becomes, and what it says of the structure of the message.
//!
//! In: a field's lines. Out: the lines in its place, none at all where nothing can stand for it
//! (RFC 6858 section 2.4), or that it may stay. Texts become encoded-words (RFC 2047), addresses
//! what [`super::address`] makes of them, MIME parameters RFC 2231's form.

use super::parameter::Parameters;
use super::word::{Folded, text};
use super::{address, parameter};

/// What stands in the place of a field; `None` when the field may stay.
pub(super) fn surrogate(field: &[u8]) -> Option<Vec<u8>> {
    if field.is_ascii() {
        return None;
    }
    let (name, value) = str::from_utf8(field).ok()?.split_once(':')?;
    let name = name.trim_ascii_end();
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return None;
    }
    let value = value.replace(['\r', '\n'], "");
    let words = match Kind::of(&name.to_ascii_lowercase()) {
        Kind::Addresses => address::list(&value),
        Kind::ReturnPath => vec![format!("<{}>", address::NOBODY)],
        Kind::Text => text(&value),
        Kind::Parameters => parameter::surrogate(&value)?,
        Kind::Other => Vec::new(),
    };
    if words.is_empty() {
        return Some(Vec::new());
    }
    let mut folded = Folded::new(name);
    words.iter().for_each(|word| folded.push(word));
    Some(folded.finish())
}

enum Kind {
    Addresses,
    ReturnPath,
    Text,
    Parameters,
    Other,
}

impl Kind {
    /// By the name in lower case. What is text and what has a form of its own is known for these
    /// only, and for private fields that they are text mostly.
    fn of(name: &str) -> Self {
        match name {
            "from" | "sender" | "reply-to" | "to" | "cc" | "bcc" | "resent-from"
            | "resent-sender" | "resent-reply-to" | "resent-to" | "resent-cc" | "resent-bcc" => {
                Self::Addresses
            }
            "return-path" => Self::ReturnPath,
            "subject" | "comments" | "content-description" | "organization" | "thread-topic" => {
                Self::Text
            }
            "content-type" | "content-disposition" => Self::Parameters,
            _ if name.starts_with("x-") => Self::Text,
            _ => Self::Other,
        }
    }
}

/// What a header says of what follows it (RFC 2045, RFC 2046).
#[derive(Debug, Clone, Default)]
pub(super) struct Structure {
    typed: bool,
    boundary: Option<Vec<u8>>,
    message: bool,
    /// base64 or such: a message in there does not show.
    encoded: bool,
}

impl Structure {
    /// Learns from a field.
    pub(super) fn learn(&mut self, field: &[u8]) {
        let Some(colon) = field.iter().take(NAME_OCTETS_MAX).position(|octet| *octet == b':')
        else {
            return;
        };
        let (name, value) = field.split_at_checked(colon).unwrap_or_default();
        let name = name.trim_ascii_end();
        let value = || String::from_utf8_lossy(value.get(1..).unwrap_or_default());
        if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            let encoding = value().trim().to_ascii_lowercase();
            self.encoded = !matches!(encoding.as_str(), "7bit" | "8bit" | "binary" | "");
        } else if name.eq_ignore_ascii_case(b"Content-Type") && !self.typed {
            self.typed = true;
            let value = value();
            let parameters = Parameters::of(&value);
            let kind = parameters.head.to_ascii_lowercase();
            self.message = matches!(kind.as_str(), "message/rfc822" | "message/global");
            if kind.starts_with("multipart/") && kind != "multipart/signed" {
                let boundary = parameters.list.iter().find(|parameter| parameter.is("boundary"));
                self.boundary = boundary
                    .map(|parameter| parameter.value.clone().into_bytes())
                    .filter(|boundary| !boundary.is_empty());
            }
        }
    }

    /// Whether another message's header follows.
    pub(super) const fn holds_message(&self) -> bool {
        self.message && !self.encoded
    }

    /// What delimits the parts that follow.
    pub(super) fn into_boundary(self) -> Option<Vec<u8>> {
        self.boundary
    }
}

/// Longer names are of no interest.
const NAME_OCTETS_MAX: usize = 40;

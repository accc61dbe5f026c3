//! Why a request was not granted, as the client is told: a response code and a text.

use std::borrow::Cow;
use std::fmt;

use super::ResponseCode;

/// An `-ERR` in the making. Texts are ours, never the client's own octets (a name echoed could
/// pass for a response code or split the reply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: Option<ResponseCode>,
    text: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a response code.
    pub fn new(code: ResponseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code), text: text.into() }
    }

    /// A refusal that says all in its text.
    pub fn plain(text: impl Into<Cow<'static, str>>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// The response code.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        self.code
    }
}

/// `[code] text`, on one line of printable ASCII and short enough for RFC 1939's 512 octets.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = self.code {
            write!(f, "{code} ")?;
        }
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let mut characters = self.text.chars().map(printable).take(TEXT_OCTETS_MAX).peekable();
        if self.code.is_none() && characters.peek() == Some(&'[') {
            // A text that begins with "[" would be read as a response code (RFC 2449 section 8).
            characters.next();
            f.write_str("(")?;
        }
        characters.try_for_each(|c| fmt::Write::write_char(f, c))
    }
}

const TEXT_OCTETS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_s44_texts_are_short_printable_and_never_pass_for_codes() {
        let held = Refusal::new(ResponseCode::InUse, "held by \u{1b}[31m\r\n+OK");
        assert_eq!(held.to_string(), "[IN-USE] held by ?[31m??+OK");
        assert_eq!(Refusal::plain("[AUTH] no").to_string(), "(AUTH] no");
        assert_eq!(Refusal::plain("x".repeat(1000)).to_string().len(), 400);
    }
}

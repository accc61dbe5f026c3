//! Why a request was not granted, as the client is told: a response code and a text.

use std::fmt;

use super::{Language, ResponseCode, Text};

/// An `-ERR` in the making. Texts are ours, never the client's own octets (a name echoed could
/// pass for a response code or split the reply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    code: Option<ResponseCode>,
    text: Text,
}

impl Refusal {
    /// A refusal with a response code.
    pub fn new(code: ResponseCode, text: impl Into<Text>) -> Self {
        Self { code: Some(code), text: text.into() }
    }

    /// A refusal that says all in its text.
    pub fn plain(text: impl Into<Text>) -> Self {
        Self { code: None, text: text.into() }
    }

    /// The response code.
    #[must_use]
    pub const fn code(&self) -> Option<ResponseCode> {
        self.code
    }

    /// `[code] text` on one line, the text in `language`; short enough for RFC 1939's 512 octets.
    pub(super) fn said_in(&self, language: Language) -> String {
        let text = self.text.said_in(language);
        match (self.code, text.strip_prefix('[')) {
            (Some(code), _) => format!("{code} {text}"),
            // A text that begins with "[" would be read as a response code (RFC 2449 section 8).
            (None, Some(rest)) => format!("({rest}"),
            (None, None) => text,
        }
    }
}

/// `[code] text` in the default language.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said_in(Language::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_s44_texts_are_short_printable_and_never_pass_for_codes() {
        let held = Refusal::new(ResponseCode::InUse, "held by \u{1b}[31m\r\n+OK".to_owned());
        assert_eq!(held.to_string(), "[IN-USE] held by ?[31m??+OK");
        assert_eq!(Refusal::plain("[AUTH] no".to_owned()).to_string(), "(AUTH] no");
        assert_eq!(Refusal::plain("x".repeat(1000)).to_string().len(), 400);
    }

    #[test]
    fn s83_the_code_is_the_same_in_every_language() {
        let refusal = Refusal::new(ResponseCode::Auth, "Wrong user name or password");
        let spanish = "[AUTH] Nombre de usuario o contraseña incorrectos";
        assert_eq!(refusal.said_in(Language::Spanish), spanish);
        assert_eq!(refusal.to_string(), "[AUTH] Wrong user name or password");
    }
}

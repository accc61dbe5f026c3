//! What a server said, and what it cannot have meant.

use bytes::Bytes;

use super::{IdLine, ScanLine};
use crate::Octets;
use crate::pop3::{Capability, ResponseCode};
use crate::sasl::Distrust;

/// Something the server said. All but the greeting belong to the oldest command whose reply has
/// not ended; [`Event::Done`], [`Event::Stat`], [`Event::Refused`] and what else is said of a
/// login end it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The server is ready. `stamp` is the timestamp that `APOP` needs, if it is well-formed.
    Greeting {
        /// `<local@host>`, printable ASCII.
        stamp: Option<String>,
    },
    /// `+OK` to a command with a multi-line reply: its lines or its body follow.
    Begun,
    /// A line of a `CAPA` reply.
    Capability(Capability),
    /// A line of a `LIST` reply.
    Scan(ScanLine),
    /// A line of a `UIDL` reply.
    Id(IdLine),
    /// The next octets of a message, without stuffing, with the line ends the server sent.
    Body(Bytes),
    /// The reply to `STAT`.
    Stat {
        /// How many messages there are.
        messages: u32,
        /// Their size, where the server gave one that makes sense.
        octets: Option<Octets>,
    },
    /// The command has done what it does; a multi-line reply came to its terminator.
    Done,
    /// `-ERR` to a login by an OAuth token.
    TokenRefused {
        /// What the server said of the token: JSON, printable, at most a kilobyte.
        report: String,
        /// What it said then.
        refusal: Refusal,
    },
    /// A login was broken off, because the server did not keep to the mechanism or did not prove
    /// what it had to. The session is over.
    Distrusted(Distrust),
    /// `-ERR`; also to the connection itself, instead of a greeting.
    Refused(Refusal),
}

/// A server's `-ERR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The response code, where the server gave one that is known.
    pub code: Option<ResponseCode>,
    /// What it said to people: printable, at most 200 characters.
    pub text: String,
}

impl Refusal {
    pub(super) fn new(text: &[u8]) -> Self {
        let text = shown(text);
        let (code, rest) = ResponseCode::split(&text);
        Self { code, text: rest.to_owned() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.text.as_str()) {
            (Some(code), "") => write!(f, "{code}"),
            (Some(code), text) => write!(f, "{code} {text}"),
            (None, "") => f.write_str("no reason given"),
            (None, text) => f.write_str(text),
        }
    }
}

/// The server broke the protocol; nothing it says can be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A line that is no reply to what was asked.
    #[error("the server sent something that is not a POP3 reply: {0:?}")]
    NotAReply(String),
    /// A line without an end.
    #[error("the server sent a line without an end")]
    LineTooLong,
    /// A listing without an end.
    #[error("the server sent a listing without an end")]
    ListingTooLong,
    /// Bytes nobody asked for.
    #[error("the server sent a reply to nothing")]
    Unsolicited,
    /// Bytes behind the `+OK` to `STLS`: somebody on the way tries to speak inside the TLS
    /// session that is about to begin.
    #[error("plaintext was injected behind the reply to STLS")]
    StlsInjection,
}

/// A command that cannot be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The server has not spoken yet.
    #[error("the server has not greeted yet")]
    NotGreeted,
    /// Another command must be answered first.
    #[error("a command that goes alone is under way")]
    Busy,
    /// The session has ended.
    #[error("the session is over")]
    Over,
}

/// A server's text as people may see it.
pub(super) fn shown(text: &[u8]) -> String {
    printable(&String::from_utf8_lossy(text), SHOWN_CHARS_MAX)
}

/// What a server says of a token it refuses.
pub(super) fn report(text: &str) -> String {
    printable(text, REPORT_CHARS_MAX)
}

fn printable(text: &str, chars_max: usize) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() || is_bidi(c) { '?' } else { c })
        .take(chars_max)
        .collect()
}

/// Characters that reorder the text around them on a terminal.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const SHOWN_CHARS_MAX: usize = 200;
const REPORT_CHARS_MAX: usize = 1024;

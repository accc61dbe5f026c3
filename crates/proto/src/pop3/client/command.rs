//! Commands and the shape of their replies.
//!
//! In: a typed command. Out: one wire line, upper case, single spaces, no trailing space,
//! and what reply to expect.

use super::CommandArg;
use crate::{MessageNumber, Secret, sasl};

/// A command a client can send.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Asks what the server can do.
    Capa,
    /// Asks for TLS. Nothing may be sent until its reply is there.
    Stls,
    /// Names the user.
    User(CommandArg),
    /// Gives the password.
    Pass(CommandArg),
    /// SASL PLAIN, with the initial response where the line stays within 255 octets (RFC 5034
    /// section 4) and in two steps otherwise.
    AuthPlain {
        /// Whose maildrop.
        user: CommandArg,
        /// The password.
        password: CommandArg,
    },
    /// Asks how much there is.
    Stat,
    /// Asks for every message's size.
    List,
    /// Asks for every message's unique-id.
    Uidl,
    /// Asks for a message.
    Retr(MessageNumber),
    /// Asks for a message's header and the first lines of its body.
    Top {
        /// Which message.
        number: MessageNumber,
        /// Lines of the body.
        body_lines: u32,
    },
    /// Marks a message as deleted.
    Dele(MessageNumber),
    /// Does nothing, and keeps the connection alive.
    Noop,
    /// Takes all marks back.
    Rset,
    /// Ends the session; only now are marked messages deleted.
    Quit,
}

/// What a command's reply looks like.
#[derive(Debug)]
pub(super) enum Reply {
    Single,
    Stat,
    Listing(Listing),
    Body,
    Stls,
    /// `response` is the line that answers a challenge; `asked` says that the credentials were
    /// sent already.
    Auth {
        response: Secret<Vec<u8>>,
        asked: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Listing {
    Capa,
    List,
    Uidl,
}

impl Command {
    /// Whether no other command may be under way with it.
    pub(super) fn is_exclusive(&self) -> bool {
        matches!(self, Self::Stls | Self::AuthPlain { .. })
    }

    pub(super) fn into_wire(self) -> (Secret<Vec<u8>>, Reply) {
        let line = |text: String| Secret::new(text.into_bytes());
        match self {
            Self::Capa => (line("CAPA\r\n".into()), Reply::Listing(Listing::Capa)),
            Self::Stls => (line("STLS\r\n".into()), Reply::Stls),
            Self::User(user) => (with_argument(b"USER ", user.expose()), Reply::Single),
            Self::Pass(password) => (with_argument(b"PASS ", password.expose()), Reply::Single),
            Self::AuthPlain { user, password } => {
                let message = Secret::new([&b""[..], user.expose(), password.expose()].join(&0));
                let message = sasl::encode(message.expose());
                let response = with_argument(b"", message.expose().as_bytes());
                let whole = with_argument(b"AUTH PLAIN ", message.expose().as_bytes());
                if whole.expose().len() <= INITIAL_RESPONSE_LINE_OCTETS_MAX {
                    (whole, Reply::Auth { response, asked: true })
                } else {
                    (line("AUTH PLAIN\r\n".into()), Reply::Auth { response, asked: false })
                }
            }
            Self::Stat => (line("STAT\r\n".into()), Reply::Stat),
            Self::List => (line("LIST\r\n".into()), Reply::Listing(Listing::List)),
            Self::Uidl => (line("UIDL\r\n".into()), Reply::Listing(Listing::Uidl)),
            Self::Retr(number) => (line(format!("RETR {number}\r\n")), Reply::Body),
            Self::Top { number, body_lines } => {
                (line(format!("TOP {number} {body_lines}\r\n")), Reply::Body)
            }
            Self::Dele(number) => (line(format!("DELE {number}\r\n")), Reply::Single),
            Self::Noop => (line("NOOP\r\n".into()), Reply::Single),
            Self::Rset => (line("RSET\r\n".into()), Reply::Single),
            Self::Quit => (line("QUIT\r\n".into()), Reply::Single),
        }
    }
}

fn with_argument(verb: &[u8], argument: &[u8]) -> Secret<Vec<u8>> {
    Secret::new([verb, argument, b"\r\n"].concat())
}

const INITIAL_RESPONSE_LINE_OCTETS_MAX: usize = 255;

//! Commands and the shape of their replies.
//!
//! In: a typed command. Out: one wire line, upper case, single spaces, no trailing space,
//! and what reply to expect.

use super::CommandArg;
use crate::sasl::{self, Distrust, Supplicant};
use crate::{MessageNumber, Secret};

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
    /// Logs in by a digest of the greeting's stamp and the password ([`sasl::apop_answer`]).
    Apop {
        /// The user.
        user: CommandArg,
        /// The digest, in hexadecimal.
        answer: CommandArg,
    },
    /// Logs in by a mechanism of SASL.
    Auth {
        /// The client's side of it.
        supplicant: Box<Supplicant>,
        /// Whether what the client says first goes with the command, which saves a round trip,
        /// where the line stays within 255 octets (RFC 5034 section 4). Exchange Online takes it
        /// in two steps only.
        with_command: bool,
    },
    /// Asks for UTF-8 in what the server sends (RFC 6856 section 2); before the login only.
    Utf8,
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
    Auth(Box<Supplicant>),
    /// A login that was broken off: only its refusal is due.
    BrokenOff(Distrust),
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
        matches!(self, Self::Stls | Self::Auth { .. } | Self::Utf8)
    }

    pub(super) fn into_wire(self) -> (Secret<Vec<u8>>, Reply) {
        let line = |text: String| Secret::new(text.into_bytes());
        match self {
            Self::Capa => (line("CAPA\r\n".into()), Reply::Listing(Listing::Capa)),
            Self::Stls => (line("STLS\r\n".into()), Reply::Stls),
            Self::User(user) => (with_argument(b"USER ", user.expose()), Reply::Single),
            Self::Pass(password) => (with_argument(b"PASS ", password.expose()), Reply::Single),
            Self::Apop { user, answer } => {
                let arguments = Secret::new([user.expose(), answer.expose()].join(&b' '));
                (with_argument(b"APOP ", arguments.expose()), Reply::Single)
            }
            Self::Auth { supplicant, with_command } => auth(supplicant, with_command),
            Self::Utf8 => (line("UTF8\r\n".into()), Reply::Single),
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

/// `auth = "AUTH" SP mechanism [SP ("=" / base64)]`
fn auth(supplicant: Box<Supplicant>, with_command: bool) -> (Secret<Vec<u8>>, Reply) {
    let name = supplicant.mechanism().name();
    let mut opened = supplicant.clone();
    if with_command && let Some(initial) = opened.initial_response() {
        let encoded = sasl::encode(initial.expose());
        let verb = format!("AUTH {name} ");
        let argument = if encoded.expose().is_empty() { "=" } else { encoded.expose() };
        let whole = with_argument(verb.as_bytes(), argument.as_bytes());
        if whole.expose().len() <= INITIAL_RESPONSE_LINE_OCTETS_MAX {
            return (whole, Reply::Auth(opened));
        }
    }
    (Secret::new(format!("AUTH {name}\r\n").into_bytes()), Reply::Auth(supplicant))
}

fn with_argument(verb: &[u8], argument: &[u8]) -> Secret<Vec<u8>> {
    Secret::new([verb, argument, b"\r\n"].concat())
}

const INITIAL_RESPONSE_LINE_OCTETS_MAX: usize = 255;

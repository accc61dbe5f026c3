//! Capabilities (RFC 2449, RFC 2595, RFC 3206, RFC 5034, RFC 6856): what a server says it can do.

use std::fmt;

/// A capability this project knows, or one it does not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// The `TOP` command.
    Top,
    /// The `USER` and `PASS` commands.
    User,
    /// The `AUTH` command with these mechanisms, in upper case.
    Sasl(Vec<String>),
    /// Replies may carry response codes.
    RespCodes,
    /// Credential failures, and nothing else, carry `[AUTH]`.
    AuthRespCode,
    /// Seconds to wait between logins.
    LoginDelay {
        /// Seconds; the largest for any user before the login.
        seconds: u64,
        /// Whether it depends on the user: ask again after the login.
        per_user: bool,
    },
    /// Commands may be sent before the replies to earlier ones were read.
    Pipelining,
    /// How long the server keeps mail.
    Expire {
        /// Days; `None` is `NEVER`.
        days: Option<u64>,
        /// Whether it depends on the user: ask again after the login.
        per_user: bool,
    },
    /// The `UIDL` command.
    Uidl,
    /// What the server is.
    Implementation(String),
    /// The `STLS` command.
    Stls,
    /// The `UTF8` command.
    Utf8 {
        /// Whether names and passwords may be in UTF-8.
        user: bool,
    },
    /// The `LANG` command.
    Lang,
    /// Another capability: its whole line.
    Other(String),
}

impl Capability {
    /// Reads one line of a `CAPA` reply. Tags are case-blind, text is kept.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let mut words = line.split_ascii_whitespace();
        let tag = words.next().unwrap_or_default().to_ascii_uppercase();
        let mut argument = || words.next().unwrap_or_default();
        match tag.as_str() {
            "TOP" => Self::Top,
            "USER" => Self::User,
            "SASL" => Self::Sasl(words.map(str::to_ascii_uppercase).collect()),
            "RESP-CODES" => Self::RespCodes,
            "AUTH-RESP-CODE" => Self::AuthRespCode,
            "LOGIN-DELAY" => match argument().parse() {
                Ok(seconds) => Self::LoginDelay { seconds, per_user: is_user(argument()) },
                Err(_) => Self::Other(line.to_owned()),
            },
            "PIPELINING" => Self::Pipelining,
            "EXPIRE" => match argument() {
                never if never.eq_ignore_ascii_case("NEVER") => {
                    Self::Expire { days: None, per_user: is_user(argument()) }
                }
                days => match days.parse() {
                    Ok(days) => Self::Expire { days: Some(days), per_user: is_user(argument()) },
                    Err(_) => Self::Other(line.to_owned()),
                },
            },
            "UIDL" => Self::Uidl,
            "IMPLEMENTATION" => {
                let text = line.split_once(|c: char| c.is_ascii_whitespace());
                Self::Implementation(text.map(|(_, text)| text.trim()).unwrap_or_default().into())
            }
            "STLS" => Self::Stls,
            "UTF8" => Self::Utf8 { user: is_user(argument()) },
            "LANG" => Self::Lang,
            _ => Self::Other(line.to_owned()),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = |per_user: &bool| if *per_user { " USER" } else { "" };
        match self {
            Self::Top => f.write_str("TOP"),
            Self::User => f.write_str("USER"),
            Self::Sasl(mechanisms) => write!(f, "SASL {}", mechanisms.join(" ")),
            Self::RespCodes => f.write_str("RESP-CODES"),
            Self::AuthRespCode => f.write_str("AUTH-RESP-CODE"),
            Self::LoginDelay { seconds, per_user } => {
                write!(f, "LOGIN-DELAY {seconds}{}", user(per_user))
            }
            Self::Pipelining => f.write_str("PIPELINING"),
            Self::Expire { days: Some(days), per_user } => {
                write!(f, "EXPIRE {days}{}", user(per_user))
            }
            Self::Expire { days: None, per_user } => write!(f, "EXPIRE NEVER{}", user(per_user)),
            Self::Uidl => f.write_str("UIDL"),
            Self::Implementation(text) => write!(f, "IMPLEMENTATION {text}"),
            Self::Stls => f.write_str("STLS"),
            Self::Utf8 { user: names } => write!(f, "UTF8{}", user(names)),
            Self::Lang => f.write_str("LANG"),
            Self::Other(line) => f.write_str(line),
        }
    }
}

fn is_user(word: &str) -> bool {
    word.eq_ignore_ascii_case("USER")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_back_what_they_write() {
        for line in [
            "TOP",
            "USER",
            "SASL PLAIN XOAUTH2",
            "RESP-CODES",
            "AUTH-RESP-CODE",
            "LOGIN-DELAY 300 USER",
            "LOGIN-DELAY 0",
            "PIPELINING",
            "EXPIRE 14",
            "EXPIRE NEVER USER",
            "UIDL",
            "IMPLEMENTATION Post Office 1",
            "STLS",
            "UTF8",
            "UTF8 USER",
            "LANG",
            "X-GOOGLE-RICO",
        ] {
            assert_eq!(Capability::parse(line).to_string(), line);
        }
        assert_eq!(Capability::parse("sasl plain"), Capability::Sasl(vec!["PLAIN".to_owned()]),);
        assert_eq!(Capability::parse("EXPIRE soon"), Capability::Other("EXPIRE soon".into()));
    }
}

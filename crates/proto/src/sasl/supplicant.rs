//! The client's side of one login by SASL: from credentials to a login the server has answered.
//!
//! In: an [`Identity`], what is known of the connection, the server's challenges, decoded, and its
//! `+OK`. Out: responses. A server that does not keep to the mechanism, or does not prove what the
//! mechanism has it prove, is [`Distrust`]ed: the response is `*` then, whatever it says next.
//!
//! Where the client speaks first, that message goes with the command or answers the first
//! challenge, whatever that says. A server that ignored it in the command (`+` and nothing more)
//! is given it again, once.

use std::fmt;

use super::scram::{Opening, Verdict};
use super::{Distrust, Identity, Link, Mechanism, Plain, Unfit, bearer, digest};
use crate::Secret;

/// A login under way, as its client sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Supplicant {
    mechanism: Mechanism,
    /// What the client says first, where it speaks first.
    opening: Option<Secret<Vec<u8>>>,
    opened: Opened,
    state: State,
    /// What the server said of a token it does not take.
    report: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    No,
    WithCommand,
    InAnswer,
}

#[derive(Clone, PartialEq, Eq)]
enum State {
    /// All is in the opening, or was said.
    Said,
    Bearer,
    LoginName {
        user: String,
        password: Secret<Vec<u8>>,
    },
    LoginPassword {
        password: Secret<Vec<u8>>,
    },
    CramMd5 {
        user: String,
        password: Secret<Vec<u8>>,
    },
    ScramFirst(Opening),
    ScramFinal(Verdict),
    /// The server has said that the proof is wrong.
    ScramRefused,
    /// The server is not trusted any more.
    Broken,
}

/// What the client says first, where it speaks first, and what it waits for then.
type Beginning = (Option<Secret<Vec<u8>>>, State);

impl Supplicant {
    /// Begins a login by `mechanism`.
    ///
    /// # Errors
    /// [`Unfit`]: it cannot be used with this identity on this connection.
    pub fn new(mechanism: Mechanism, identity: Identity, link: Link) -> Result<Self, Unfit> {
        let is_sound = !identity.user().chars().any(char::is_control);
        let needs_name = !matches!(mechanism, Mechanism::External | Mechanism::OauthBearer);
        if !is_sound || (needs_name && identity.user().is_empty()) {
            return Err(Unfit::Name);
        }
        let (opening, state) = match (mechanism, identity) {
            (_, Identity::Password { user, password }) => {
                if password.expose().iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
                    return Err(Unfit::Password);
                }
                Self::by_password(mechanism, user, password, link)?
            }
            (Mechanism::OauthBearer | Mechanism::Xoauth2, Identity::Token { user, token }) => {
                if !bearer::is_token(token.expose()) {
                    return Err(Unfit::Token);
                }
                (Some(bearer::message(mechanism, &user, token.expose())), State::Bearer)
            }
            (Mechanism::External, Identity::Certificate { user }) => {
                (Some(Secret::new(user.into_bytes())), State::Said)
            }
            _ => return Err(Unfit::Kind(mechanism)),
        };
        Ok(Self { mechanism, opening, opened: Opened::No, state, report: None })
    }

    fn by_password(
        mechanism: Mechanism,
        user: String,
        password: Secret<Vec<u8>>,
        link: Link,
    ) -> Result<Beginning, Unfit> {
        Ok(match mechanism {
            Mechanism::Plain => {
                let message = Plain { authorization: None, user, password }.to_message();
                (Some(message), State::Said)
            }
            Mechanism::Login => (None, State::LoginName { user, password }),
            Mechanism::CramMd5 => (None, State::CramMd5 { user, password }),
            _ => {
                let opening = Opening::new(mechanism, &user, password, link)?;
                (Some(opening.message()), State::ScramFirst(opening))
            }
        })
    }

    /// By which mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What goes with the command, where the client speaks first.
    #[must_use]
    pub fn initial_response(&mut self) -> Option<Secret<Vec<u8>>> {
        self.opened = Opened::WithCommand;
        self.opening.clone()
    }

    /// Whether the client has said nothing yet, so that anything the server says is its turn to.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.opening.is_some() && self.opened == Opened::No
    }

    /// Takes a challenge and gives the response to it.
    ///
    /// # Errors
    /// [`Distrust`]: the response is `*`.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<Secret<Vec<u8>>, Distrust> {
        if let Some(opening) = &self.opening {
            let again = self.opened == Opened::WithCommand && challenge.is_empty();
            let is_due = self.opened == Opened::No || again;
            self.opened = Opened::InAnswer;
            if is_due {
                return Ok(opening.clone());
            }
        }
        let (response, state) = match std::mem::replace(&mut self.state, State::Broken) {
            State::Said | State::Broken => return Err(Distrust::Unexpected),
            // RFC 7628 section 3.2.3; Google and Microsoft want an empty line instead.
            State::Bearer => {
                self.report = Some(String::from_utf8_lossy(challenge).into_owned());
                let dummy: &[u8] = match self.mechanism {
                    Mechanism::OauthBearer => b"\x01",
                    _ => b"",
                };
                (Secret::new(dummy.to_vec()), State::Said)
            }
            State::LoginName { user, password } => {
                (Secret::new(user.into_bytes()), State::LoginPassword { password })
            }
            State::LoginPassword { password } => (password, State::Said),
            State::CramMd5 { user, password } => {
                let challenge = std::str::from_utf8(challenge).map_err(|_| Distrust::Malformed)?;
                if challenge.is_empty() {
                    return Err(Distrust::Malformed);
                }
                (digest::cram_md5_response(challenge, &user, password.expose()), State::Said)
            }
            State::ScramFirst(opening) => {
                let (last, verdict) = opening.respond(challenge)?;
                (last, State::ScramFinal(verdict))
            }
            State::ScramFinal(verdict) => {
                let proved = verdict.check(challenge)?;
                let state = if proved { State::Said } else { State::ScramRefused };
                (Secret::new(Vec::new()), state)
            }
            State::ScramRefused => return Err(Distrust::Unexpected),
        };
        self.state = state;
        Ok(response)
    }

    /// Takes the server's `+OK`.
    ///
    /// # Errors
    /// [`Distrust::Unproven`] if it comes too early to mean anything.
    pub fn succeed(&self) -> Result<(), Distrust> {
        match self.state {
            State::Said | State::Bearer if !self.is_silent() => Ok(()),
            _ => Err(Distrust::Unproven),
        }
    }

    /// What the server said of a token it does not take: JSON, as far as one can trust it.
    #[must_use]
    pub fn report(&self) -> Option<&str> {
        self.report.as_deref()
    }
}

impl fmt::Debug for Supplicant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Supplicant({})", self.mechanism)
    }
}

#[cfg(test)]
mod tests;

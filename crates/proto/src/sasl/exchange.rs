//! The server's side of one login by SASL: from the mechanism's name to a login to be checked.
//!
//! In: the client's responses, decoded. Out: the next [`Step`], which carries the exchange on
//! where it goes on. Nothing is kept but what the client itself said. What can go wrong is a
//! [`Fault`]; a wrong password is not known here.

use std::fmt;

use super::{Fault, Mechanism, Plain, login};
use crate::{Login, Secret};

/// A login under way, waiting for the client's response.
pub struct Exchange(State);

enum State {
    Plain,
    LoginName,
    LoginPassword { user: String },
}

/// What comes next in an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this; the client's response goes to the exchange.
    Challenge(Secret<Vec<u8>>, Exchange),
    /// The client has said all: find out whether it is right.
    Login(Login),
    /// It ends here.
    Refused(Fault),
}

impl Exchange {
    /// Begins a login.
    #[must_use]
    pub const fn new(mechanism: Mechanism) -> Self {
        Self(match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginName,
        })
    }

    pub(super) const fn login_password(user: String) -> Self {
        Self(State::LoginPassword { user })
    }

    /// Begins without an initial response: the challenge is empty where the client speaks first.
    #[must_use]
    pub fn challenge(self) -> Step {
        let challenge = match &self.0 {
            State::LoginName => login::NAME_PROMPT,
            State::Plain | State::LoginPassword { .. } => b"",
        };
        Step::Challenge(Secret::new(challenge.to_vec()), self)
    }

    /// Takes the client's response, the initial one or any later one.
    #[must_use]
    pub fn respond(self, response: &[u8]) -> Step {
        match self.0 {
            State::Plain => match Plain::parse(response) {
                Some(Plain { authorization: Some(other), user, .. }) if other != user => {
                    Step::Refused(Fault::OtherUser)
                }
                Some(Plain { user, password, .. }) => {
                    Step::Login(Login::Password { user, password })
                }
                None => Step::Refused(Fault::Malformed(Mechanism::Plain)),
            },
            State::LoginName => login::name(response),
            State::LoginPassword { user } => login::password(user, response),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Plain => "Exchange(PLAIN)",
            State::LoginName | State::LoginPassword { .. } => "Exchange(LOGIN)",
        })
    }
}

//! The server's side of one login by SASL: from the mechanism's name to a login to be checked.
//!
//! In: the client's responses, decoded. Out: the next [`Step`], which carries the exchange on
//! where it goes on. Nothing is kept but what the client itself said. What can go wrong is a
//! [`Fault`]; a wrong password is not known here.

use std::fmt;

use super::scram::{Final, First, KeysWanted};
use super::{Fault, Mechanism, Plain, bearer, digest, external, login};
use crate::{Login, Secret};

/// A login under way, waiting for the client's response.
pub struct Exchange(State);

enum State {
    External { names: Vec<String> },
    Plain,
    Unknown(Mechanism),
    LoginName,
    LoginPassword { user: String },
    CramMd5 { challenge: String },
    OauthBearer,
    Xoauth2,
    ScramFirst(First),
    ScramFinal(Box<Final>),
    ScramVerdict { mechanism: Mechanism, user: String },
}

/// What an exchange needs of the connection.
#[derive(Debug, Clone)]
pub struct Context {
    /// Printable, without a comma, and never used before.
    pub nonce: String,
    /// What binds a login to this TLS connection, where it can be bound (RFC 9266).
    pub binding: Option<Secret<Vec<u8>>>,
    /// Whom the certificate names that the client showed, for EXTERNAL.
    pub certified: Vec<String>,
}

/// What comes next in an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this; the client's response goes to the exchange.
    Challenge(Secret<Vec<u8>>, Exchange),
    /// Ask for the user's keys; they go to [`KeysWanted::go_on`].
    Keys(KeysWanted),
    /// The client has said all: find out whether it is right.
    Login(Login),
    /// It ends here.
    Refused(Fault),
}

impl Exchange {
    /// Begins a login.
    #[must_use]
    pub fn new(mechanism: Mechanism, context: Context) -> Self {
        if let Some((hash, plus)) = mechanism.scram() {
            let Context { nonce, binding, .. } = context;
            return Self(State::ScramFirst(First { mechanism, hash, plus, nonce, binding }));
        }
        Self(match mechanism {
            Mechanism::External => State::External { names: context.certified },
            Mechanism::CramMd5 => State::CramMd5 { challenge: digest::stamp(&context.nonce) },
            Mechanism::OauthBearer => State::OauthBearer,
            Mechanism::Xoauth2 => State::Xoauth2,
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginName,
            // Nobody checks certificates of clients.
            other => State::Unknown(other),
        })
    }

    pub(super) const fn login_password(user: String) -> Self {
        Self(State::LoginPassword { user })
    }

    pub(super) fn scram_final(last: Final) -> Self {
        Self(State::ScramFinal(Box::new(last)))
    }

    pub(super) const fn scram_verdict(mechanism: Mechanism, user: String) -> Self {
        Self(State::ScramVerdict { mechanism, user })
    }

    /// Begins without an initial response: the challenge is empty where the client speaks first.
    #[must_use]
    pub fn challenge(self) -> Step {
        let challenge = match &self.0 {
            State::LoginName => login::NAME_PROMPT,
            State::CramMd5 { challenge } => challenge.as_bytes(),
            _ => b"",
        };
        Step::Challenge(Secret::new(challenge.to_vec()), self)
    }

    /// Takes the client's response, the initial one or any later one.
    #[must_use]
    pub fn respond(self, response: &[u8]) -> Step {
        match self.0 {
            State::External { names } => external::respond(response, names),
            State::Plain => match Plain::parse(response).map(Plain::prepared) {
                Some(Ok(Plain { authorization: Some(other), user, .. })) if other != user => {
                    Step::Refused(Fault::OtherUser)
                }
                Some(Ok(Plain { user, password, .. })) => {
                    Step::Login(Login::Password { user, password })
                }
                Some(Err(fault)) => Step::Refused(fault),
                None => Step::Refused(Fault::Malformed(Mechanism::Plain)),
            },
            State::Unknown(mechanism) => Step::Refused(Fault::Malformed(mechanism)),
            State::LoginName => login::name(response),
            State::LoginPassword { user } => login::password(user, response),
            State::CramMd5 { challenge } => digest::respond(&challenge, response),
            State::OauthBearer => bearer::oauthbearer(response),
            State::Xoauth2 => bearer::xoauth2(response),
            State::ScramFirst(first) => first.respond(response),
            State::ScramFinal(last) => last.respond(response),
            // The client has nothing to add to the server's proof.
            State::ScramVerdict { user, .. } if response.is_empty() => {
                Step::Login(Login::Proof { user, proven: true })
            }
            State::ScramVerdict { mechanism, .. } => Step::Refused(Fault::Malformed(mechanism)),
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::External { .. } => "Exchange(EXTERNAL)",
            State::Plain => "Exchange(PLAIN)",
            State::Unknown(_) => "Exchange",
            State::LoginName | State::LoginPassword { .. } => "Exchange(LOGIN)",
            State::CramMd5 { .. } => "Exchange(CRAM-MD5)",
            State::OauthBearer => "Exchange(OAUTHBEARER)",
            State::Xoauth2 => "Exchange(XOAUTH2)",
            State::ScramFirst(_) | State::ScramFinal(_) | State::ScramVerdict { .. } => {
                "Exchange(SCRAM)"
            }
        })
    }
}

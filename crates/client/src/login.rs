//! Why a login failed. Only [`LoginError::WrongPassword`] is a reason to ask for the password
//! again, [`LoginError::WrongToken`] for another token (RFC 2449 section 8, RFC 3206): a locked maildrop or a sick server says nothing about it.

use restante_proto::pop3::client::Refusal;
use restante_proto::pop3::{Capability, ResponseCode};
use restante_proto::sasl::Distrust;

use crate::{Capabilities, Method};

/// A login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server does not take this user with this password.
    #[error("wrong user name or password: {0}")]
    WrongPassword(Refusal),
    /// The server does not take this user's token: it has expired, or is for something else.
    #[error("the server does not take the token, get a new one: {refusal}{}", behind(report))]
    WrongToken {
        /// What it said of the token (RFC 7628 section 3.2.2): JSON, or nothing.
        report: String,
        /// What it said then.
        refusal: Refusal,
    },
    /// The server did not keep to the mechanism, or did not prove that it knows the user. Whoever
    /// it is, it does not get the password.
    #[error("the server cannot be trusted with a login: {0}")]
    Distrusted(Distrust),
    /// The server offers nothing that is good enough, or that the credentials are good for.
    #[error("the server offers no way to log in {}; it offers {offered}", wanted(*floor))]
    NoMethod {
        /// The least that would do, if one was named.
        floor: Option<Method>,
        /// What it offers.
        offered: String,
    },
    /// A token or a certificate, on a connection without TLS: who listens could use it.
    #[error("nothing but a password is sent without TLS")]
    NotEncrypted,
    /// Only `USER` and `PASS` are left, and the server takes no more than ASCII there.
    #[error("the server takes only ASCII in names and passwords (it lists no UTF8 USER)")]
    NotAscii,
    /// Another session has the maildrop.
    #[error("the maildrop is in use by another session: {0}")]
    InUse(Refusal),
    /// The server wants more time between logins.
    #[error("too soon after the last login: {0}")]
    TooSoon(Refusal),
    /// The server has a problem that may go away by itself.
    #[error("the server cannot log anyone in now: {0}")]
    Temporary(Refusal),
    /// The server has a problem that somebody must solve.
    #[error("the server cannot log this user in: {0}")]
    Permanent(Refusal),
}

impl LoginError {
    pub(crate) fn new(refusal: Refusal, capabilities: &Capabilities) -> Self {
        match refusal.code {
            Some(ResponseCode::Auth) => Self::WrongPassword(refusal),
            Some(ResponseCode::InUse) => Self::InUse(refusal),
            Some(ResponseCode::LoginDelay) => Self::TooSoon(refusal),
            Some(ResponseCode::SysPerm) => Self::Permanent(refusal),
            // A server that marks wrong credentials did not mean them here.
            None if !capabilities.has(&Capability::AuthRespCode) => Self::WrongPassword(refusal),
            _ => Self::Temporary(refusal),
        }
    }

    /// Whether trying again later, with nothing changed, may well succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::InUse(_) | Self::TooSoon(_) | Self::Temporary(_) => true,
            Self::WrongPassword(_)
            | Self::WrongToken { .. }
            | Self::Distrusted(_)
            | Self::NoMethod { .. }
            | Self::NotEncrypted
            | Self::NotAscii
            | Self::Permanent(_) => false,
        }
    }
}

fn behind(report: &str) -> String {
    if report.is_empty() { String::new() } else { format!(" ({report})") }
}

fn wanted(floor: Option<Method>) -> String {
    match floor {
        Some(floor) => format!("that is at least {floor}"),
        None => "with these credentials".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c11_only_a_wrong_password_is_one() {
        let plain = Capabilities::known(vec![]);
        let marks = Capabilities::known(vec![Capability::AuthRespCode]);
        let refusal = |code| Refusal { code, text: "no".into() };
        for (code, capabilities, wrong, temporary) in [
            (None, &plain, true, false),
            (None, &marks, false, true),
            (Some(ResponseCode::Auth), &plain, true, false),
            (Some(ResponseCode::Auth), &marks, true, false),
            (Some(ResponseCode::InUse), &plain, false, true),
            (Some(ResponseCode::LoginDelay), &plain, false, true),
            (Some(ResponseCode::SysTemp), &plain, false, true),
            (Some(ResponseCode::SysPerm), &plain, false, false),
        ] {
            let error = LoginError::new(refusal(code), capabilities);
            assert_eq!(matches!(error, LoginError::WrongPassword(_)), wrong, "{error}");
            assert_eq!(error.is_temporary(), temporary, "{error}");
        }
    }
}

//! Why a login failed. Only [`LoginError::WrongPassword`] is a reason to ask for the password
//! again (RFC 2449 section 8, RFC 3206): a locked maildrop or a sick server says nothing about it.

use restante_proto::pop3::client::Refusal;
use restante_proto::pop3::{Capability, ResponseCode};

use crate::Capabilities;

/// A login failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The server does not take this user with this password.
    #[error("wrong user name or password: {0}")]
    WrongPassword(Refusal),
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
            Self::WrongPassword(_) | Self::Permanent(_) => false,
        }
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

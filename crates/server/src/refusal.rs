//! The one map from errors to what a client is told. Paths and system errors go to the log; the
//! client learns a response code and what it can do.

use std::error::Error;

use restante_maildrop::{AuthError, CommitError, OpenError, Owner, ReadError};
use restante_proto::pop3::{Refusal, ResponseCode, Text};
use tracing::error;

use crate::sessions::ClaimError;

pub(crate) fn of_login(error: &AuthError) -> Refusal {
    match error {
        AuthError::Refused => Refusal::new(ResponseCode::Auth, "Wrong user name or password"),
        // An unavailable user database is never the client's fault: with [AUTH] mail programs
        // would ask their users for new passwords.
        error => {
            error!(cause = cause(error), "{error}");
            Refusal::new(ResponseCode::SysTemp, "Logins cannot be checked now, try again later")
        }
    }
}

/// A token that is not good, or not this user's, or whose user has no maildrop here.
pub(crate) fn of_token() -> Refusal {
    Refusal::new(ResponseCode::Auth, "This token opens no maildrop here, get a new one")
}

/// A certificate that is good, but is not this user's, or whose user has no maildrop here.
pub(crate) fn of_certificate() -> Refusal {
    Refusal::new(ResponseCode::Auth, "This certificate opens no such maildrop here")
}

pub(crate) fn of_claim(error: &ClaimError) -> Refusal {
    match error {
        ClaimError::InUse { holder } => in_use(Some(holder)),
        ClaimError::TooMany => {
            let text = "You have as many sessions as one may have, close one first";
            Refusal::new(ResponseCode::InUse, text)
        }
        ClaimError::TooSoon { wait } => {
            // Rounded up: who waits as long as told gets in.
            let seconds = wait.as_millis().div_ceil(1000);
            let seconds = seconds.to_string();
            let text = Text::with("Too soon after the last login, wait {} s", [seconds]);
            Refusal::new(ResponseCode::LoginDelay, text)
        }
    }
}

pub(crate) fn of_opening(owner: &Owner, error: &OpenError) -> Refusal {
    match error {
        OpenError::InUse { holder } => in_use(holder.as_deref()),
        OpenError::Permanent(_) => {
            error!(user = owner.to_string(), cause = cause(error), "{error}");
            Refusal::new(ResponseCode::SysPerm, "The maildrop cannot be opened")
        }
        error => {
            error!(user = owner.to_string(), cause = cause(error), "{error}");
            Refusal::new(ResponseCode::SysTemp, "The maildrop cannot be opened now")
        }
    }
}

pub(crate) fn of_reading(error: &ReadError) -> Refusal {
    let text = match error {
        ReadError::Gone => "Another program removed this message",
        ReadError::Changed => "Another program changed this message, log in again",
        error => {
            error!(cause = cause(error), "{error}");
            "The message cannot be read now"
        }
    };
    Refusal::new(ResponseCode::SysTemp, text)
}

pub(crate) fn of_commit(error: &CommitError) -> Refusal {
    error!(cause = cause(error), "{error}");
    Refusal::new(ResponseCode::SysTemp, "Some deleted messages were not removed")
}

fn in_use(holder: Option<&str>) -> Refusal {
    let text = match holder {
        Some(holder) => Text::with("The maildrop is in use by {}", [holder.to_owned()]),
        None => "The maildrop is in use".into(),
    };
    Refusal::new(ResponseCode::InUse, text)
}

fn cause(error: &dyn Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

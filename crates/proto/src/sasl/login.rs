//! The LOGIN mechanism (draft-murchison-sasl-login-00): the server asks for a name, then for a
//! password. Obsolete, and all that some clients have.
//!
//! In: two responses. Out: the prompts, which clients compare letter by letter, and the login.

use super::{Exchange, FIELD_OCTETS_MAX, Fault, Mechanism, Step, is_password, prepared_name};
use crate::{Login, Secret};

/// The question for the name.
pub(super) const NAME_PROMPT: &[u8] = b"Username:";
/// The question for the password.
const PASSWORD_PROMPT: &[u8] = b"Password:";

/// Takes the name, which may have come as an initial response.
pub(super) fn name(response: &[u8]) -> Step {
    match std::str::from_utf8(response) {
        Ok(user) if !user.is_empty() && user.len() <= FIELD_OCTETS_MAX => {
            let Some(user) = prepared_name(user) else { return Step::Refused(Fault::Name) };
            let prompt = Secret::new(PASSWORD_PROMPT.to_vec());
            Step::Challenge(prompt, Exchange::login_password(user))
        }
        _ => Step::Refused(Fault::Malformed(Mechanism::Login)),
    }
}

/// Takes the password.
pub(super) fn password(user: String, response: &[u8]) -> Step {
    if response.len() > FIELD_OCTETS_MAX {
        return Step::Refused(Fault::Malformed(Mechanism::Login));
    }
    if !is_password(response) {
        return Step::Refused(Fault::Password);
    }
    Step::Login(Login::Password { user, password: Secret::new(response.to_vec()) })
}

//! Which new passwords can be used, and in which forms a password is compared.

use restante_proto::Secret;
use restante_proto::sasl::prepare;

/// A new password that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable password: {0}")]
pub struct BadPassword(&'static str);

impl BadPassword {
    /// Checks that a mail program could send `password`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(password: &[u8]) -> Result<(), Self> {
        if password.is_empty() {
            Err(Self("it is empty"))
        } else if password.len() > NEW_PASSWORD_OCTETS_MAX {
            Err(Self("it is longer than 200 octets"))
        } else if password.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n')) {
            Err(Self("it holds NUL or a line end"))
        } else if !str::from_utf8(password).is_ok_and(is_left_by_preparing) {
            Err(Self("it is not UTF-8, or holds control characters or such"))
        } else {
            Ok(())
        }
    }
}

/// Whether SASLprep, which logins go through, leaves anything of a password.
fn is_left_by_preparing(password: &str) -> bool {
    prepare(password).is_some_and(|prepared| !prepared.is_empty())
}

/// A password prepared (RFC 4013), and as it is where that is something else: what other programs
/// store and send need not be prepared.
pub(crate) fn forms(password: &[u8]) -> Vec<Secret<Vec<u8>>> {
    let prepared = str::from_utf8(password).ok().and_then(prepare);
    let prepared = prepared.filter(|text| text.as_bytes() != password);
    let prepared = prepared.map(|text| Secret::new(text.into_owned().into_bytes()));
    prepared.into_iter().chain([Secret::new(password.to_vec())]).collect()
}

/// What `PASS` and a password fit into: a command line has 255 octets (RFC 2449 section 4).
const NEW_PASSWORD_OCTETS_MAX: usize = 200;

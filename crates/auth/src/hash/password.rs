//! Which new passwords can be used.

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
        } else {
            Ok(())
        }
    }
}

/// What `PASS` and a password fit into: a command line has 255 octets (RFC 2449 section 4).
const NEW_PASSWORD_OCTETS_MAX: usize = 200;

//! Arguments that cannot end the command they stand in.

use std::fmt;

use crate::Secret;

/// A command's argument without CR, LF or NUL, so that no caller's text can smuggle a second
/// command onto the wire. May be a password, so it is wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandArg(Secret<Vec<u8>>);

impl CommandArg {
    /// The longest argument. RFC 2449 gives a whole command line 255 octets; servers that take
    /// more exist, and their limit is theirs to enforce.
    pub const OCTETS_MAX: usize = 4096;

    /// `argument` when it may stand in a command.
    ///
    /// # Errors
    /// [`BadArgument`] says what is wrong with it, never what it was.
    pub fn new(argument: impl AsRef<[u8]>) -> Result<Self, BadArgument> {
        let argument = argument.as_ref();
        if argument.len() > Self::OCTETS_MAX {
            return Err(BadArgument::TooLong);
        }
        if argument.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(BadArgument::ControlCharacter);
        }
        Ok(Self(Secret::new(argument.to_vec())))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

impl fmt::Debug for CommandArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandArg(<redacted>)")
    }
}

/// Text that cannot be a command's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadArgument {
    /// It holds a line end or a NUL.
    #[error("it holds a line end or a NUL character")]
    ControlCharacter,
    /// It is longer than [`CommandArg::OCTETS_MAX`].
    #[error("it is longer than {} octets", CommandArg::OCTETS_MAX)]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r8_no_argument_holds_a_line_end_or_nul() {
        for byte in 0..=u8::MAX {
            let made = CommandArg::new([b'a', byte, b'b']);
            assert_eq!(made.is_err(), [b'\r', b'\n', 0].contains(&byte), "{byte:#x}");
        }
        assert_eq!(CommandArg::new(vec![b'x'; 4097]), Err(BadArgument::TooLong));
        assert!(CommandArg::new("").is_ok());
        assert!(!format!("{:?}", CommandArg::new("s3cret").unwrap()).contains("s3cret"));
    }
}

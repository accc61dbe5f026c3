//! What other collectors know: their accounts, and which messages they fetched already.
//!
//! In: the text of their files. Out: accounts as `accounts.toml` has them ([`Found`]) and
//! unique-ids ([`Seen`]), with a word for everything that is not taken over. Nothing here reads a
//! file. What cannot be read at all is an [`ImportError`]; what is only odd is passed over in a
//! list of ids, because one id less costs fetching one message again.

mod fetchmail;
mod found;
mod getmail;
mod mpop;
mod thunderbird;

use std::path::{Path, PathBuf};

pub use found::{Found, FoundSecret};

/// A collector people come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tool {
    /// fetchmail.
    Fetchmail,
    /// getmail.
    Getmail,
    /// mpop.
    Mpop,
    /// Thunderbird.
    Thunderbird,
}

/// Where a collector's file was found.
#[derive(Debug, Clone)]
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// What a collector's configuration says.
#[derive(Debug, Default)]
pub struct Import {
    /// The accounts that can be taken over.
    pub accounts: Vec<Found>,
    /// What cannot, and belongs to none of them.
    pub left_out: Vec<String>,
}

/// A message that was fetched by another collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its unique-id.
    pub unique_id: Vec<u8>,
    /// When it was fetched, in seconds since 1970, where that is known.
    pub time: Option<u64>,
    /// The collector was to delete it on the server.
    pub delete: bool,
}

/// A configuration is not what it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {message}")]
pub struct ImportError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Each may begin with all that stands before it, so that many would be too large.
const ACCOUNTS_MAX: usize = 200;

/// Refuses a file with more accounts than people have.
fn limited(accounts: usize, line: usize) -> Result<(), ImportError> {
    if accounts < ACCOUNTS_MAX {
        return Ok(());
    }
    Err(ImportError { line, message: format!("there are more than {ACCOUNTS_MAX} accounts") })
}

impl Tool {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is not one.
    pub fn accounts(self, text: &str, place: &Place) -> Result<Import, ImportError> {
        match self {
            Self::Fetchmail => fetchmail::accounts(text, place),
            Self::Getmail => getmail::accounts(text, place),
            Self::Mpop => mpop::accounts(text, place),
            Self::Thunderbird => thunderbird::accounts(text, place),
        }
    }

    /// Reads what was fetched for an account from one of its [`Found::seen_files`].
    #[must_use]
    pub fn seen(self, state: &[u8], account: &Found) -> Vec<Seen> {
        let seen = match self {
            Self::Fetchmail => fetchmail::seen(state, account),
            Self::Getmail => getmail::seen(state, account),
            Self::Mpop => mpop::seen(state, account),
            Self::Thunderbird => thunderbird::seen(state, account),
        };
        seen.into_iter().filter(|seen| !seen.unique_id.is_empty()).collect()
    }
}

impl Place {
    /// A path as the file means it.
    fn path(&self, text: &str) -> PathBuf {
        let rest = ["~/", "$HOME/", "${HOME}/"].iter().find_map(|home| text.strip_prefix(home));
        match (rest, &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.folder.join(text),
        }
    }

    /// A path below the user's home.
    fn at_home(&self, path: impl AsRef<Path>) -> PathBuf {
        self.home.as_deref().unwrap_or(&self.folder).join(path)
    }
}

/// The lines of a list of ids, without their ends.
fn lines(state: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = state.split(|&octet| octet == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn place() -> Place {
        Place { folder: "/rc".into(), home: Some("/mail/fred".into()) }
    }

    /// Everything about an account, for comparison.
    pub(crate) fn shown(found: &Found) -> String {
        let maildir = found.maildir.as_deref().unwrap_or_else(|| Path::new("?"));
        found.to_toml("NAME", maildir, Path::new("PW"))
    }

    #[test]
    fn paths_are_the_users() {
        let place = place();
        for (text, path) in [
            ("~/Mail", "/mail/fred/Mail"),
            ("$HOME/Mail", "/mail/fred/Mail"),
            ("/var/mail", "/var/mail"),
            ("Mail", "/rc/Mail"),
            ("~other/Mail", "/rc/~other/Mail"),
        ] {
            assert_eq!(place.path(text), Path::new(path), "{text}");
        }
    }
}

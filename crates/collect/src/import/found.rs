//! An account of another collector, and what it is in `accounts.toml`.
//!
//! In: what a tool's file says. Out: an `[[account]]` table as text. A password is no part of
//! that text: it names a file or a command.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use restante_client::{Encryption, Secret};
use toml::Value;

/// An account as found.
#[derive(Debug)]
pub struct Found {
    /// What to call it.
    pub name: String,
    /// The server.
    pub server: String,
    /// Its port, if not the usual one.
    pub port: Option<u16>,
    /// Whether and how the connection is encrypted.
    pub encryption: Encryption,
    /// The user's name there.
    pub user: String,
    /// What to log in with.
    pub secret: FoundSecret,
    /// The least way to log in that will do.
    pub mechanism: Option<&'static str>,
    /// Certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// A certificate to show and its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// A proxy, as a URL.
    pub proxy: Option<String>,
    /// How long to wait for the server.
    pub timeout_s: Option<u64>,
    /// What stays on the server, in the words of `leave`.
    pub leave: String,
    /// The Maildir the mail went to, if it went to one.
    pub maildir: Option<PathBuf>,
    /// Where what was fetched is written down: the first file that is there.
    pub seen_files: Vec<PathBuf>,
    /// The other tool's names for the server and the user, where it writes them down so.
    pub known_as: (String, String),
    /// What is not taken over.
    pub left_out: Vec<String>,
}

/// What a collector logged in with.
#[derive(Debug)]
pub enum FoundSecret {
    /// Nothing is said: it was asked for, or it is kept elsewhere.
    Missing,
    /// It stands there.
    Password(Secret<String>),
    /// A shell command prints it.
    Shell(String),
    /// A program prints it.
    Program(Vec<String>),
    /// A shell command prints an OAuth token.
    TokenShell(String),
    /// A program prints an OAuth token.
    TokenProgram(Vec<String>),
}

impl Found {
    /// An account with nothing but the names.
    pub(super) fn new(name: &str, server: &str, user: &str) -> Self {
        Self {
            name: name.to_owned(),
            server: server.to_owned(),
            port: None,
            encryption: Encryption::Tls,
            user: user.to_owned(),
            secret: FoundSecret::Missing,
            mechanism: None,
            ca_file: None,
            client_certificate: None,
            proxy: None,
            timeout_s: None,
            leave: ALWAYS.to_owned(),
            maildir: None,
            seen_files: Vec::new(),
            known_as: (server.to_owned(), user.to_owned()),
            left_out: Vec::new(),
        }
    }

    /// Whether mail is deleted on the server, sooner or later.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.leave != ALWAYS
    }

    /// Whether a file for the password is needed.
    #[must_use]
    pub fn needs_password_file(&self) -> bool {
        matches!(self.secret, FoundSecret::Missing | FoundSecret::Password(_))
    }

    /// The account as a table of `accounts.toml`.
    #[must_use]
    pub fn to_toml(&self, name: &str, maildir: &Path, password_file: &Path) -> String {
        let text = |text: &str| Value::String(text.to_owned());
        let path = |path: &Path| Value::String(path.to_string_lossy().into_owned());
        let words = |words: &[String]| Value::Array(words.iter().map(|w| text(w)).collect());
        let encryption = match self.encryption {
            Encryption::Tls => "tls",
            Encryption::StartTls => "starttls",
            Encryption::None => "none",
        };
        let mut keys = vec![("name", text(name)), ("server", text(&self.server))];
        keys.extend(self.port.map(|port| ("port", Value::Integer(port.into()))));
        keys.push(("encryption", text(encryption)));
        keys.push(("user", text(&self.user)));
        keys.push(match &self.secret {
            FoundSecret::Missing | FoundSecret::Password(_) => {
                ("password_file", path(password_file))
            }
            FoundSecret::Shell(line) => ("password_command", text(line)),
            FoundSecret::Program(program) => ("password_command", words(program)),
            FoundSecret::TokenShell(line) => ("token_command", text(line)),
            FoundSecret::TokenProgram(program) => ("token_command", words(program)),
        });
        keys.extend(self.mechanism.map(|name| ("mechanism", text(name))));
        keys.extend(self.ca_file.as_deref().map(|file| ("ca_file", path(file))));
        if let Some((certificate, key)) = &self.client_certificate {
            keys.push(("client_certificate", path(certificate)));
            keys.push(("client_key", path(key)));
        }
        keys.extend(self.proxy.as_deref().map(|proxy| ("proxy", text(proxy))));
        let timeout_s = self.timeout_s.and_then(|seconds| i64::try_from(seconds).ok());
        keys.extend(timeout_s.map(|seconds| ("timeout_s", Value::Integer(seconds))));
        keys.push(("leave", text(&self.leave)));
        keys.push(("maildir", path(maildir)));
        let mut table = "[[account]]\n".to_owned();
        for (key, value) in keys {
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{key} = {value}");
        }
        table
    }
}

/// Of `leave`: nothing is deleted.
pub(super) const ALWAYS: &str = "always";
/// Of `leave`: everything is, once it is stored.
pub(super) const NEVER: &str = "never";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accounts, Defaults, Leave, SignIn};

    #[test]
    fn a_found_account_is_one_that_can_be_read_whatever_its_names() {
        let user = "fred \"the\" \\ user'\u{e9}";
        let found = Found {
            port: Some(1995),
            secret: FoundSecret::TokenProgram(vec!["to ken".into(), "\"a\"".into()]),
            ca_file: Some("/ca.pem".into()),
            client_certificate: Some(("/c".into(), "/k".into())),
            proxy: Some("socks5://localhost:9050".into()),
            timeout_s: Some(20),
            leave: "14 days".into(),
            ..Found::new("work", "pop.example.org", user)
        };
        let text = found.to_toml("w\"ork", Path::new("/mail/a b"), Path::new("pw"));
        let defaults = Defaults { folder: "/etc".into(), home: None };
        let account = &Accounts::parse(&text, &defaults).unwrap().accounts[0];
        assert_eq!(account.identity(), ("pop.example.org".to_owned(), 1995, user));
        assert_eq!((&*account.name, account.leave), ("w\"ork", Leave::Days(14)));
        assert_eq!(account.maildir, Path::new("/mail/a b"));
        assert!(matches!(&account.sign_in, SignIn::Token(_)));
        assert!(!found.needs_password_file() && found.deletes());
    }

    #[test]
    fn a_password_is_in_no_text() {
        let found = Found {
            secret: FoundSecret::Password(Secret::new("correct horse".to_owned())),
            ..Found::new("work", "pop.example.org", "fred")
        };
        let text = found.to_toml("work", Path::new("m"), Path::new("pw"));
        assert!(text.contains("password_file = \"pw\""), "{text}");
        assert!(!format!("{text} {found:?}").contains("horse"));
    }
}

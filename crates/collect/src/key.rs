//! Names for accounts and messages that hold for ever.
//!
//! In: what makes an account or a message what it is. Out: SHA-256 over it, with the length of
//! every field before it so that no two meanings share a hash. Changing anything here makes every
//! collector fetch everything again.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use restante_maildrop::MessageKey;
use sha2::{Digest, Sha256};

use crate::Account;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// What a message of an account is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageId {
    /// The unique-id, verbatim; empty where the server has none.
    pub(crate) unique_id: Box<[u8]>,
    /// For messages whose unique-id is missing or not unique: what is in them.
    pub(crate) content: Option<Content>,
}

/// A message known by its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Content {
    pub(crate) sha256: Hash,
    /// Tells copies with the same octets apart.
    pub(crate) occurrence: u32,
}

impl MessageId {
    pub(crate) fn unique(unique_id: &[u8]) -> Self {
        Self { unique_id: unique_id.into(), content: None }
    }
}

/// An account's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccountKey(Hash);

impl AccountKey {
    pub(crate) fn new(account: &Account) -> Self {
        let (host, port, user) = account.identity();
        Self(hash(&[b"restante account", host.as_bytes(), &port.to_be_bytes(), user.as_bytes()]))
    }

    /// The name of the account's folder: readable first, unmistakable at the end. What was stored
    /// in one Maildir is not stored in another, so an account that gets a new one begins anew.
    pub(crate) fn folder_name(self, account: &Account) -> String {
        let (host, _, user) = account.identity();
        let readable = |text: &str| -> String {
            text.chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
                .take(NAME_CHARS_MAX)
                .collect()
        };
        let maildir = account.maildir.as_os_str().as_bytes();
        let hash = hash(&[b"restante folder", &self.0, maildir]);
        let short = hex(hash.get(..8).unwrap_or_default());
        // Never begins with a dot or a dash.
        format!("account-{}-{}-{short}", readable(user), readable(&host))
    }

    /// What the destination knows a message by.
    pub(crate) fn message_key(self, id: &MessageId) -> Option<MessageKey> {
        let hash = match &id.content {
            None => hash(&[b"restante message", &self.0, &id.unique_id]),
            Some(content) => hash(&[
                b"restante content",
                &self.0,
                &id.unique_id,
                &content.sha256,
                &content.occurrence.to_be_bytes(),
            ]),
        };
        MessageKey::new(&hex(&hash))
    }
}

fn hash(fields: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

pub(crate) fn unhex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    if text.len() != 2 * hash.len() {
        return None;
    }
    for (octet, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

const NAME_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use restante_client::{Encryption, Endpoint};

    use super::*;
    use crate::{Leave, SecretSource, SignIn};

    fn account(host: &str, user: &str) -> Account {
        Account {
            name: "a".into(),
            endpoint: Endpoint::new(host, Encryption::Tls),
            user: user.into(),
            sign_in: SignIn::Password(SecretSource::Keyring("k".into())),
            mechanism: None,
            leave: Leave::Always,
            largest_octets: None,
            maildir: PathBuf::new(),
        }
    }

    /// The key is part of file names that exist: it must never change.
    #[test]
    fn keys_are_what_they_always_were() {
        let key = AccountKey::new(&account("POP.example.org", "fred"));
        assert_eq!(key, AccountKey::new(&account("pop.example.org", "fred")));
        let message = key.message_key(&MessageId::unique(b"uid-1")).unwrap();
        assert_eq!(message.as_str(), KNOWN_KEY);
        assert_eq!(hex(&unhex(message.as_str()).unwrap()), KNOWN_KEY);
    }

    const KNOWN_KEY: &str = "cf1f7dd103fa5e3705da2d939fdd542d97068c82d331ba63a091d86d75362a19";

    #[test]
    fn r36_folder_names_hold_nothing_that_leaves_the_folder() {
        for user in ["../../x", "-rf", "a/b", "\0", "%s", "x".repeat(300).as_str(), "fr\u{e9}d"] {
            let account = account("../host", user);
            let name = AccountKey::new(&account).folder_name(&account);
            assert!(name.starts_with("account-") && !name.contains('/') && name.len() < 120);
        }
    }

    #[test]
    fn each_maildir_has_a_folder_and_the_same_keys() {
        let [one, mut other] = [account("h", "fred"), account("h", "fred")];
        other.maildir.push("elsewhere");
        let [key, other_key] = [AccountKey::new(&one), AccountKey::new(&other)];
        assert_eq!(key, other_key);
        assert_ne!(key.folder_name(&one), other_key.folder_name(&other));
    }

    #[test]
    fn different_messages_have_different_keys() {
        let content = |sha, occurrence| Some(Content { sha256: [sha; 32], occurrence });
        let ids = [
            (&b"a"[..], None),
            (b"", None),
            (b"a", content(1, 0)),
            (b"a", content(1, 1)),
            (b"a", content(2, 0)),
            (b"", content(1, 0)),
        ];
        let keys: std::collections::BTreeSet<_> = ids
            .into_iter()
            .flat_map(|(id, content)| {
                let id = MessageId { unique_id: id.into(), content };
                ["fred", "jane"].map(|user| AccountKey::new(&account("h", user)).message_key(&id))
            })
            .collect();
        assert_eq!(keys.len(), 12);
    }
}

//! One app password as it stands in the file, and the secret it is made of.
//!
//! line = JSON object: "user", "label", "scope" (array), "created", "expires" (or none), "hash"
//!
//! A secret is 20 letters of 32, so 100 random bits that nobody guesses, however cheap a guess is.
//! That is why one HMAC-SHA-256 is enough where a password that somebody thought up needs argon2,
//! and why it needs no salt: no two secrets are alike. All app passwords together then cost a
//! login one hash of a microsecond, not one slow hash for each.

use std::fmt;
use std::io;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use restante_host::Rng;
use restante_maildrop::Owner;
use restante_proto::Secret;
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::moment;

/// A password for one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// Whose it is.
    pub owner: Owner,
    /// What the user calls it.
    pub label: String,
    /// What it opens.
    pub scope: Vec<Scope>,
    /// When it was made.
    pub created: SystemTime,
    /// When it ends, if ever.
    pub expires: Option<SystemTime>,
    pub(crate) digest: Digest,
}

/// What an app password opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Fetching mail.
    Pop,
    /// Handing mail in.
    Lmtp,
}

/// What is kept of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Scope {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Pop, Self::Lmtp];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pop => "pop",
            Self::Lmtp => "lmtp",
        }
    }
}

impl AppPassword {
    /// A new one and its secret, as it is shown once.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn create(
        rng: &dyn Rng,
        owner: Owner,
        label: String,
        scope: Vec<Scope>,
        created: SystemTime,
        expires: Option<SystemTime>,
    ) -> io::Result<(Self, Secret<String>)> {
        let mut letters = [0; SECRET_LETTERS];
        rng.fill(&mut letters)?;
        for letter in &mut letters {
            *letter = LETTERS.get(usize::from(*letter & 31)).copied().unwrap_or(*letter);
        }
        let digest = Digest::of(&letters);
        let groups: Vec<_> =
            letters.chunks(4).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
        let secret = Secret::new(groups.join("-"));
        Ok((Self { owner, label, scope, created, expires, digest }, secret))
    }

    /// Whether it opens `scope` at the time `now`.
    #[must_use]
    pub fn opens(&self, scope: Scope, now: SystemTime) -> bool {
        self.scope.contains(&scope) && !self.is_over(now)
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// What it is called where its last use is kept; tells nothing of the secret.
    pub(crate) fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.digest.0).chars().take(ID_LETTERS).collect()
    }

    /// Reads a line of the file.
    ///
    /// # Errors
    /// What is wrong with it; holds nothing of the line.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, &'static str> {
        let entry: Map<String, Value> =
            serde_json::from_slice(line).map_err(|_| "it is not a JSON object")?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let time = |key| text(key).and_then(moment::parse);
        let owner = text("user").and_then(|name| Owner::new(name).ok()).ok_or("no `user`")?;
        let label = text("label").ok_or("no `label`")?.to_owned();
        let scope = entry.get("scope").and_then(Value::as_array).ok_or("no list `scope`")?;
        let scope = Scope::ALL.into_iter().filter(|known| scope.contains(&known.as_str().into()));
        let created = time("created").ok_or("no time `created`")?;
        let expires = match entry.get("expires") {
            None | Some(Value::Null) => None,
            // A time that cannot be read must not be taken for none.
            Some(_) => Some(time("expires").ok_or("`expires` is no time")?),
        };
        let hash = text("hash").and_then(Digest::parse).ok_or("no `hash`")?;
        Ok(Self { owner, label, scope: scope.collect(), created, expires, digest: hash })
    }

    /// The line of the file, without its end.
    pub(crate) fn to_line(&self) -> String {
        let scope: Vec<_> = self.scope.iter().map(|scope| scope.as_str().into()).collect();
        let expires = self.expires.map_or(Value::Null, |time| moment::to_text(time).into());
        let entry: Map<_, _> = [
            ("user", self.owner.as_str().into()),
            ("label", self.label.as_str().into()),
            ("scope", Value::Array(scope)),
            ("created", moment::to_text(self.created).into()),
            ("expires", expires),
            ("hash", URL_SAFE_NO_PAD.encode(self.digest.0).into()),
        ]
        .into_iter()
        .map(|(key, value): (&str, Value)| (key.to_owned(), value))
        .collect();
        Value::Object(entry).to_string()
    }
}

impl Digest {
    /// What a password would be kept as, if it has the form of a secret. Dashes, spaces and
    /// capitals are what people make of it.
    pub(crate) fn of_password(password: &[u8]) -> Option<Self> {
        let letters: Vec<_> = password
            .iter()
            .filter(|octet| !matches!(octet, b'-' | b' '))
            .map(u8::to_ascii_lowercase)
            .collect();
        let letters = Secret::new(letters);
        let is_secret = letters.expose().len() == SECRET_LETTERS
            && letters.expose().iter().all(|letter| LETTERS.contains(letter));
        is_secret.then(|| Self::of(letters.expose()))
    }

    fn of(letters: &[u8]) -> Self {
        match Hmac::<Sha256>::new_from_slice(PURPOSE) {
            Ok(mac) => Self(mac.chain_update(letters).finalize().into_bytes().into()),
            // HMAC takes keys of any length.
            Err(_) => Self([0; 32]),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// Not taken for each other.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const SECRET_LETTERS: usize = 20;
/// Keeps the hash from being one of any other use.
const PURPOSE: &[u8] = b"restante app password 1";
/// 72 bits: no two are alike.
const ID_LETTERS: usize = 12;

//! What a user database is to logins and deliveries, whatever it is made of.
//!
//! In: a user's name, and a password. Out: the user's [`Record`], or that the database has none;
//! an error only when the database cannot be asked, or says what cannot be right. Names come from
//! strangers: a database looks them up as they are, and never takes them for text of its own
//! language or for a template.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

use restante_maildrop::{Account, OwnTerms, Owner};
use restante_proto::Secret;
use restante_proto::sasl::scram::ScramHash;

use crate::Hash;
use crate::scram::Material;

/// Users, wherever they are kept. All calls may block, for a bounded time.
pub trait UserDatabase: fmt::Debug + Send + Sync {
    /// What to call it in the log.
    fn name(&self) -> String;

    /// What is kept of `user`, if the user is known here.
    ///
    /// # Errors
    /// When the database cannot be asked, or what it has of the user cannot be used.
    fn find(&self, user: &Owner) -> io::Result<Option<Record>>;

    /// What there is to say to a password. Databases that keep passwords to themselves compare it
    /// here; those that give them out leave that to the caller.
    ///
    /// # Errors
    /// As [`UserDatabase::find`].
    fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Verdict> {
        let _ = password;
        Ok(match self.find(user)? {
            None => Verdict::Unknown,
            Some(record) => match record.credential {
                Credential::Hash(hash) => Verdict::Compare { account: record.account, hash },
                Credential::Unusable | Credential::Barred | Credential::Inside => Verdict::Wrong,
                Credential::Elsewhere => Verdict::Unknown,
            },
        })
    }

    /// Whether it knows every name. Its places are then also for users of databases before it.
    fn knows_everybody(&self) -> bool {
        false
    }

    /// What is known of all its users together.
    ///
    /// # Errors
    /// When the database cannot be asked.
    fn overview(&self) -> io::Result<Overview>;
}

/// What a database has of one user.
#[derive(Debug, Clone)]
pub struct Record {
    /// The user. The name is the database's own: it may be written otherwise than it was asked
    /// for, where the database takes both for one.
    pub account: Account,
    /// The stored password.
    pub credential: Credential,
}

impl Record {
    /// The stored password, where there is one to be seen.
    pub(crate) const fn hash(&self) -> Option<&Arc<Hash>> {
        match &self.credential {
            Credential::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    /// Whether the user has some way to log in that this database knows of.
    pub(crate) const fn may_log_in(&self) -> bool {
        matches!(self.credential, Credential::Hash(_) | Credential::Inside)
    }

    /// Whether the database says that the user may not log in.
    pub(crate) const fn is_barred(&self) -> bool {
        matches!(self.credential, Credential::Barred)
    }
}

/// What a password is compared with.
#[derive(Debug, Clone)]
pub enum Credential {
    /// This.
    Hash(Arc<Hash>),
    /// Something that only the database itself can see.
    Inside,
    /// Nothing: there is no password, so the user gets mail but cannot log in by one.
    Unusable,
    /// Nothing: the database says that the user gets mail and may not log in, by whatever means.
    Barred,
    /// This database has no passwords; another one may.
    Elsewhere,
}

/// What a database says to a name and a password.
#[derive(Debug)]
pub enum Verdict {
    /// There is no such user here, or this database cannot tell that from a wrong password.
    Unknown,
    /// The password is to be compared with this.
    Compare {
        /// Who is in if it fits.
        account: Account,
        /// The stored password.
        hash: Arc<Hash>,
    },
    /// It is the right password.
    Right(Account),
    /// It is not, and the user is one of this database.
    Wrong,
}

/// What is known of all users of a database together.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// A hash of the cost that most users' hashes have, to be checked where there is none.
    pub(crate) stand_in: Option<Arc<Hash>>,
    /// In the order of [`ScramHash::ALL`].
    pub(crate) scram: [ScramOverview; 2],
    /// Whether a stored password may be in clear.
    pub(crate) any_in_clear: bool,
    /// The terms that users have of their own.
    pub(crate) own_terms: OwnTerms,
}

/// What the users have for SCRAM with one hash function.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScramOverview {
    pub(crate) able: Able,
    /// The iteration count most of the stored keys have.
    pub(crate) iterations: Option<NonZero<u32>>,
}

/// How many of those who can log in can do so in some way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Able {
    /// There is nobody who can log in.
    #[default]
    Nobody,
    /// All of them.
    All,
    /// Not all, or that is not known.
    NotAll,
}

/// Gives users their places; what it says holds for users to whom their database gives none.
pub trait Places: fmt::Debug + Send + Sync {
    /// Where the maildrop of `owner` lies.
    ///
    /// # Errors
    /// When the name cannot have a place.
    fn place(&self, owner: &Owner) -> io::Result<PathBuf>;
}

impl Overview {
    /// Of a database whose users cannot be counted; `example` is a hash that one of them has.
    #[must_use]
    pub fn of_example(example: Option<Arc<Hash>>) -> Self {
        let scram = ScramHash::ALL.map(|hash| {
            let material = example.as_ref().and_then(|example| example.scram_material(hash));
            let iterations = material.and_then(|material| match material {
                Material::Keys(keys) => Some(keys.iterations()),
                Material::Password(_) => None,
            });
            ScramOverview { able: Able::NotAll, iterations }
        });
        let own_terms = OwnTerms::default();
        Self { stand_in: example, scram, any_in_clear: true, own_terms }
    }

    /// Of a database that compares passwords itself.
    #[must_use]
    pub fn of_verifier() -> Self {
        Self { any_in_clear: false, ..Self::of_example(None) }
    }

    /// The same, whose users have terms of their own, these at worst.
    #[must_use]
    pub fn with_terms(mut self, own_terms: OwnTerms) -> Self {
        self.own_terms = own_terms;
        self
    }

    /// The terms that users have of their own, the worst of them.
    #[must_use]
    pub const fn own_terms(&self) -> OwnTerms {
        self.own_terms
    }

    /// Of this database and another one behind it.
    pub(crate) fn and(self, other: Self) -> Self {
        let mut scram = self.scram;
        for (one, other) in scram.iter_mut().zip(other.scram) {
            one.able = match (one.able, other.able) {
                (Able::Nobody, able) | (able, Able::Nobody) => able,
                (Able::All, Able::All) => Able::All,
                _ => Able::NotAll,
            };
            one.iterations = one.iterations.or(other.iterations);
        }
        Self {
            stand_in: self.stand_in.or(other.stand_in),
            scram,
            any_in_clear: self.any_in_clear || other.any_in_clear,
            own_terms: self.own_terms.and(other.own_terms),
        }
    }

    pub(crate) fn stand_in(&self) -> Arc<Hash> {
        self.stand_in.clone().unwrap_or_else(|| Arc::new(Hash::stand_in()))
    }

    pub(crate) const fn scram(&self, hash: ScramHash) -> ScramOverview {
        let [sha_256, sha_1] = self.scram;
        match hash {
            ScramHash::Sha256 => sha_256,
            ScramHash::Sha1 => sha_1,
        }
    }

    /// Whether all users who can log in can do so by SCRAM with `hash`; nobody is not all.
    pub(crate) fn all_can_scram(&self, hash: ScramHash) -> bool {
        self.scram(hash).able == Able::All
    }

    /// The iteration count for SCRAM keys that are not stored.
    pub(crate) fn scram_iterations(&self, hash: ScramHash) -> NonZero<u32> {
        self.scram(hash).iterations.unwrap_or(crate::scram::ITERATIONS)
    }
}

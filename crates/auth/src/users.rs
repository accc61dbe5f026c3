//! The user databases of an office, in their order.
//!
//! In: names and passwords. Out: what the first database says that knows the user. It decides: a
//! wrong password there is wrong, and a database that cannot be asked is an error, as the user may
//! be one of its. Who does not get in has cost the same questions to the same databases, whether
//! there is such a user or not.

use std::io;
use std::sync::Arc;

use restante_maildrop::{Account, Owner};
use restante_proto::Secret;

use crate::Hash;
use crate::database::{Credential, Overview, Places, Record, UserDatabase, Verdict};

/// Several user databases.
#[derive(Debug, Default)]
pub struct Users(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    database: Arc<dyn UserDatabase>,
    places: Option<Arc<dyn Places>>,
}

/// What all databases together say to a name and a password.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is the right one.
    Right(Account),
    /// It is to be compared with this; the databases behind `asked` were not asked yet.
    Compare { account: Account, hash: Arc<Hash>, asked: usize },
    /// It is wrong, or there is no such user.
    Wrong,
}

impl Users {
    /// The same with one more database, asked after those before it. Users of it who have no place
    /// of their own have the one that `places` says.
    #[must_use]
    pub fn with(
        mut self,
        database: Arc<dyn UserDatabase>,
        places: Option<Arc<dyn Places>>,
    ) -> Self {
        self.0.push(Entry { database, places });
        self
    }

    /// The user, from the first database that knows the name.
    ///
    /// # Errors
    /// When a database before that cannot be asked.
    pub fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        for (number, entry) in self.0.iter().enumerate() {
            if let Some(mut record) = entry.find(user)? {
                record.account = self.placed(number, record.account)?;
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    pub(crate) fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Outcome> {
        let mut decided = false;
        for (number, entry) in self.0.iter().enumerate() {
            match entry.log_in(user, password)? {
                Verdict::Unknown => {}
                Verdict::Wrong => decided = true,
                _ if decided => {}
                Verdict::Right(account) => {
                    return Ok(Outcome::Right(self.placed(number, account)?));
                }
                Verdict::Compare { account, hash } => {
                    let account = self.placed(number, account)?;
                    return Ok(Outcome::Compare { account, hash, asked: number + 1 });
                }
            }
        }
        Ok(Outcome::Wrong)
    }

    /// Asks the databases that are left when a password did not fit, as all are asked about a user
    /// nobody knows. What they say changes nothing, unless they cannot be asked.
    pub(crate) fn ask_on(
        &self,
        asked: usize,
        user: &Owner,
        password: &Secret<Vec<u8>>,
    ) -> io::Result<()> {
        self.0.iter().skip(asked).try_for_each(|entry| entry.log_in(user, password).map(drop))
    }

    pub(crate) fn overview(&self) -> io::Result<Overview> {
        self.0.iter().try_fold(Overview::default(), |sum, entry| {
            let overview = entry.database.overview().map_err(|error| entry.explain(error))?;
            Ok(sum.and(overview))
        })
    }

    /// The account with the place its maildrop has: the user's own, that of its database, or that
    /// of a database behind which gives places to users it does not know.
    fn placed(&self, number: usize, account: Account) -> io::Result<Account> {
        if account.owner.place().is_some() {
            return Ok(account);
        }
        let entry = self.0.get(number);
        if let Some(places) = entry.and_then(|entry| entry.places.as_ref()) {
            let place = places.place(&account.owner)?;
            return Ok(Account { owner: account.owner.at(place), ..account });
        }
        let behind = self.0.iter().skip(number + 1);
        let mut places = behind.filter(|entry| entry.database.knows_everybody());
        if let Some(places) = places.find_map(|entry| entry.places.as_ref())
            && let Ok(place) = places.place(&account.owner)
        {
            return Ok(Account { owner: account.owner.at(place), ..account });
        }
        Ok(account)
    }
}

impl Entry {
    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        let found = self.database.find(user).map_err(|error| self.explain(error))?;
        // Who gives places to everybody knows nobody whose name can have none.
        Ok(found.filter(|record| match (&record.credential, &self.places) {
            (Credential::Elsewhere, Some(places)) => places.place(user).is_ok(),
            _ => true,
        }))
    }

    fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Verdict> {
        self.database.log_in(user, password).map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("user database {}: {error}", self.database.name()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;
    use crate::Anybody;

    /// A database of one user, which counts who asked and may be out of reach.
    #[derive(Debug)]
    pub(crate) struct Single {
        pub(crate) user: &'static str,
        /// As a passwd-file has it; a verifier has it in clear.
        pub(crate) stored: &'static str,
        pub(crate) verifies: bool,
        pub(crate) reachable: bool,
        pub(crate) asked: Mutex<Vec<String>>,
    }

    impl Single {
        pub(crate) fn new(user: &'static str, stored: &'static str) -> Self {
            let (verifies, reachable) = (stored.starts_with('='), true);
            let stored = stored.trim_start_matches('=');
            Self { user, stored, verifies, reachable, asked: Mutex::default() }
        }

        pub(crate) fn asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    impl UserDatabase for Single {
        fn name(&self) -> String {
            format!("of {}", self.user)
        }

        fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
            self.asked.lock().unwrap().push(user.to_string());
            if !self.reachable {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let credential = if self.verifies {
                Credential::Inside
            } else {
                Credential::Hash(Arc::new(Hash::parse(self.stored).unwrap()))
            };
            let account = user.clone().into();
            Ok((user.as_str() == self.user).then_some(Record { account, credential }))
        }

        fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Verdict> {
            Ok(match self.find(user)? {
                None => Verdict::Unknown,
                Some(Record { account, credential: Credential::Hash(hash) }) => {
                    Verdict::Compare { account, hash }
                }
                Some(record) if password.expose() == self.stored.as_bytes() => {
                    Verdict::Right(record.account)
                }
                Some(_) => Verdict::Wrong,
            })
        }

        fn overview(&self) -> io::Result<Overview> {
            Ok(Overview::default())
        }
    }

    #[derive(Debug)]
    struct Below(&'static str);

    impl Places for Below {
        fn place(&self, owner: &Owner) -> io::Result<PathBuf> {
            match owner.as_str() {
                "placeless" => Err(io::ErrorKind::InvalidInput.into()),
                name => Ok(PathBuf::from(self.0).join(name)),
            }
        }
    }

    fn places(root: &'static str) -> Option<Arc<dyn Places>> {
        Some(Arc::new(Below(root)))
    }

    fn place_of(users: &Users, name: &str) -> Option<String> {
        let record = users.find(&Owner::new(name).unwrap()).unwrap()?;
        record.account.owner.place().map(|place| place.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_place_is_the_databases_own_or_that_of_everybody() {
        let one = |user| Arc::new(Single::new(user, "{PLAIN}x"));
        let users = Users::default()
            .with(one("fred"), places("/own"))
            .with(one("anna"), None)
            .with(Arc::new(Anybody), places("/all"));
        for (user, place) in [
            ("fred", Some("/own/fred")),
            ("anna", Some("/all/anna")),
            ("%s{user}", Some("/all/%s{user}")),
            ("placeless", None),
        ] {
            assert_eq!(place_of(&users, user).as_deref(), place, "{user}");
        }
        assert!(users.find(&Owner::new("placeless").unwrap()).unwrap().is_none());
        let users = Users::default().with(one("anna"), None);
        assert_eq!(place_of(&users, "anna"), None);
        assert!(users.find(&Owner::new("fred").unwrap()).unwrap().is_none());
    }
}

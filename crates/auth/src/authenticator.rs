//! Checks logins against the user databases.
//!
//! In: a login. Out: whose it is. A login of the last minutes is known again; any other that is
//! refused costs one hash on a thread of the pool and a question to every database, also when
//! there is no such user, so that time does not tell names (RFC 1939 section 13). A user database
//! that cannot be asked and a pool that is busy are `Unavailable`, never `Refused`: a mail program
//! asks for the password again after the latter (RFC 3206).

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use restante_host::{Clock, Host};
use restante_maildrop::{Account, AuthError, Authenticator, BoxFuture, Login, Owner};
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use restante_proto::sasl::{Digest, Offers};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::info;

use crate::cache::{Cache, CacheKey};
use crate::hash::forms;
use crate::pool::Pool;
use crate::scram::Maker;
use crate::users::Outcome;
use crate::{Hash, Mechanisms, Record, Rehash, Tokens, Users, tokens};

/// How much checking logins may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// Threads that hash; 0 is one less than there are processors, and one at least.
    pub hash_threads: usize,
    /// Logins that may wait for such a thread; one more is unavailable.
    pub queue: usize,
    /// How long a login may wait for such a thread.
    pub wait: Duration,
    /// How long a good login is remembered; zero is not at all.
    pub cache_ttl: Duration,
    /// How many good logins are remembered.
    pub cache_entries: usize,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self {
            hash_threads: 0,
            queue: 256,
            wait: Duration::from_secs(10),
            cache_ttl: Duration::from_secs(300),
            cache_entries: 10_000,
        }
    }
}

/// Checks logins against [`Users`]. Needs a tokio runtime around it.
#[derive(Debug)]
pub struct UserAuthenticator {
    known: Arc<Known>,
    /// Questions to user databases that may be open at once.
    questions: Arc<Semaphore>,
    pool: Pool,
    mechanisms: Mechanisms,
    maker: Maker,
    tokens: Option<Arc<Tokens>>,
    wait: Duration,
    rehash: Option<Rehash>,
}

/// What can be said without a hash.
#[derive(Debug)]
struct Known {
    users: Users,
    cache: Cache,
    clock: Arc<dyn Clock>,
}

/// What a login's name and password lead to before any hash.
enum Lookup {
    /// The password is right: it was a little while ago, or its database says so.
    In(Account),
    /// The password must be compared with `hash`; without an account it is for nothing.
    Compare { account: Option<(Account, usize)>, hash: Arc<Hash>, key: CacheKey },
}

impl UserAuthenticator {
    /// Checks against `users`, who are looked up when they log in.
    ///
    /// # Errors
    /// When no thread can be started, or there is no randomness for the cache's key.
    pub fn new(
        host: &Host,
        users: Users,
        limits: LoginLimits,
        mechanisms: Mechanisms,
    ) -> io::Result<Self> {
        let cache = Cache::new(&*host.rng, limits.cache_ttl, limits.cache_entries)?;
        let threads = match limits.hash_threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1),
            threads => threads,
        };
        let pool = Pool::new(Arc::clone(&host.clock), threads, limits.queue, limits.wait)?;
        let known = Arc::new(Known { users, cache, clock: Arc::clone(&host.clock) });
        let maker = Maker::new(&mechanisms.secret)?;
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        let (tokens, rehash, wait) = (None, None, limits.wait);
        Ok(Self { known, questions, pool, mechanisms, maker, tokens, rehash, wait })
    }

    /// The same, which takes these tokens beside passwords.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self
    }

    /// The same, which renews stored passwords.
    #[must_use]
    pub fn with_rehash(mut self, rehash: Rehash) -> Self {
        self.rehash = Some(rehash);
        self
    }

    async fn check(&self, user: &str, password: &Secret<Vec<u8>>) -> Result<Account, AuthError> {
        let owner = Owner::new(user).ok();
        let (name, to_look_up, secret) = (user.to_owned(), owner.clone(), password.clone());
        let look_up = move |known: &Known| known.look_up(&name, to_look_up.as_ref(), &secret);
        let (account, hash, key) = match self.ask(look_up).await? {
            Lookup::In(account) => return Ok(account),
            Lookup::Compare { account, hash, key } => (account, hash, key),
        };
        let (stored, secret) = (Arc::clone(&hash), password.clone());
        let fits = self.pool.run(move || stored.verify(secret.expose())).await;
        let fits = fits.map_err(AuthError::Unavailable)?;
        let Some((account, asked)) = account else { return Err(AuthError::Refused) };
        if fits {
            self.known.cache.insert(key, self.known.clock.monotonic());
            if let Some(rehash) = &self.rehash {
                rehash.begin(&account.owner, &hash, password);
            }
            return Ok(account);
        }
        if let Some(owner) = owner {
            let secret = password.clone();
            self.ask(move |known| known.users.ask_on(asked, &owner, &secret)).await?;
        }
        Err(AuthError::Refused)
    }

    /// Reads the user databases off the async threads. How many questions are open is bounded
    /// here, how long one may take by the database.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Known) -> io::Result<T> + Send + 'static,
    ) -> Result<T, AuthError> {
        let busy = || io::Error::new(io::ErrorKind::TimedOut, "too many logins wait for users");
        let place = timeout(self.wait, Arc::clone(&self.questions).acquire_owned()).await;
        let place = place.map_err(|_| busy()).and_then(|place| place.map_err(io::Error::other));
        let place = place.map_err(AuthError::Unavailable)?;
        let known = Arc::clone(&self.known);
        let answer = tokio::task::spawn_blocking(move || {
            let answer = question(&known);
            // Not before: whoever asked may be gone long before the answer.
            drop(place);
            answer
        });
        answer.await.map_err(io::Error::other).flatten().map_err(AuthError::Unavailable)
    }

    /// Whose maildrop a proof opens that the session has checked. The keys it was checked with
    /// were this user's; the user may have gone meanwhile.
    async fn proven(&self, user: &str) -> Result<Account, AuthError> {
        let user = user.to_owned();
        let found = self.ask(move |known| known.find(&user)).await?.filter(Record::may_log_in);
        found.map(|record| record.account).ok_or(AuthError::Refused)
    }

    /// Whose maildrop a digest opens; only a password stored in clear can be compared with it.
    async fn digested(&self, user: &str, digest: &Digest) -> Result<Account, AuthError> {
        let (user, digest) = (user.to_owned(), digest.clone());
        let account = self.ask(move |known| {
            let found = known.find(&user)?.and_then(|record| {
                let password = record.hash()?.in_clear()?;
                Some((record.account, password))
            });
            // The digest is made for nobody too.
            let password = found.as_ref().map_or(&b"nobody"[..], |(_, password)| password.expose());
            let fits = forms(password).iter().any(|password| digest.fits(password.expose()));
            Ok(found.filter(|_| fits).map(|(account, _)| account))
        });
        account.await?.ok_or(AuthError::Refused)
    }

    /// Whose maildrop a token opens. Why it opens none is for the log alone.
    async fn tokened(&self, login: &Login) -> Result<Account, AuthError> {
        let tokens = self.tokens.as_ref().ok_or(AuthError::Refused)?;
        let user = tokens.user(login, &self.pool).await.map_err(AuthError::Unavailable)?;
        let account = match user {
            Ok(user) if tokens.any_user() => match Owner::new(&user) {
                Ok(owner) => {
                    let record = self.ask(move |known| known.find(&user)).await?;
                    Ok(record.map_or_else(|| owner.into(), |record| record.account))
                }
                Err(_) => Err(tokens::Fault::NoSuchUser),
            },
            Ok(user) => match self.proven(&user).await {
                Err(AuthError::Refused) => Err(tokens::Fault::NoSuchUser),
                account => Ok(account?),
            },
            Err(fault) => Err(fault),
        };
        account.map_err(|fault| {
            info!(reason = %fault, "token refused");
            AuthError::Refused
        })
    }

    async fn make_keys(&self, user: &str, hash: ScramHash) -> Result<ScramKeys, AuthError> {
        let name = user.to_owned();
        let (material, iterations) = self
            .ask(move |known| {
                let overview = known.users.overview()?;
                let record = known.find(&name)?;
                let material = record.as_ref().and_then(Record::hash);
                let material = material.and_then(|stored| stored.scram_material(hash));
                Ok((material, overview.scram_iterations(hash)))
            })
            .await?;
        let (maker, name) = (self.maker.clone(), user.to_owned());
        let keys = self.pool.run(move || maker.keys(&name, hash, iterations, material)).await;
        keys.map_err(AuthError::Unavailable)
    }
}

impl Known {
    /// The user of that name; a name that cannot be a user's is nobody's.
    fn find(&self, user: &str) -> io::Result<Option<Record>> {
        Owner::new(user).map_or(Ok(None), |owner| self.users.find(&owner))
    }

    fn look_up(
        &self,
        name: &str,
        owner: Option<&Owner>,
        password: &Secret<Vec<u8>>,
    ) -> io::Result<Lookup> {
        let outcome = match owner {
            Some(owner) => self.users.log_in(owner, password)?,
            None => Outcome::Wrong,
        };
        let (account, hash) = match outcome {
            Outcome::Right(account) => return Ok(Lookup::In(account)),
            Outcome::Compare { account, hash, asked } => (Some((account, asked)), hash),
            Outcome::Wrong => (None, self.users.overview()?.stand_in()),
        };
        let key = self.cache.key(name, password.expose(), hash.to_field().expose());
        match account {
            Some((account, _)) if self.cache.contains(&key, self.clock.monotonic()) => {
                Ok(Lookup::In(account))
            }
            account => Ok(Lookup::Compare { account, hash, key }),
        }
    }
}

impl Authenticator for UserAuthenticator {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        Box::pin(async move {
            match login {
                Login::Password { user, password } => self.check(user, password).await,
                Login::Proof { user, proven: true } => self.proven(user).await,
                Login::Digest { user, digest } => self.digested(user, digest).await,
                Login::Certificate { .. } => {
                    let user = login.certified_user().ok_or(AuthError::Refused)?;
                    self.proven(user).await
                }
                Login::Token { .. } => self.tokened(login).await,
                // A proof that failed, or a kind of login that user databases know nothing of.
                _ => Err(AuthError::Refused),
            }
        })
    }

    fn offers(&self) -> BoxFuture<'_, Offers> {
        Box::pin(async move {
            let mechanisms = self.mechanisms.clone();
            let offers = self.ask(move |known| Ok(mechanisms.offers(&known.users.overview()?)));
            // A database that cannot be read says so when somebody logs in.
            Offers { tokens: self.tokens.is_some(), ..offers.await.unwrap_or_default() }
        })
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        Box::pin(self.make_keys(user, hash))
    }
}

/// More would keep more threads waiting for a database that does not answer.
const QUESTIONS: usize = 64;

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;
    use std::time::{Instant, SystemTime};

    use proptest::prelude::*;
    use restante_host::{Clock, HostClock};
    use restante_proto::sasl::Mechanism;
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::pool::tests::{fill, occupy};
    use crate::tokens::tests::Signer;
    use crate::users::tests::Single;
    use crate::{BadPassword, Issuer, PasswdFile, PasswdUsers, ScramOffer};

    /// A clock that moves by hand.
    #[derive(Debug)]
    pub(crate) struct HandClock(Mutex<Instant>);

    impl HandClock {
        pub(crate) fn new() -> Self {
            Self(Mutex::new(HostClock.monotonic()))
        }

        pub(crate) fn advance(&self, by: Duration) {
            *self.0.lock().unwrap() += by;
        }
    }

    impl Clock for HandClock {
        fn monotonic(&self) -> Instant {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> SystemTime {
            HostClock.wall()
        }
    }

    struct Office {
        dir: TempDir,
        clock: Arc<HandClock>,
        authenticator: UserAuthenticator,
    }

    /// One thread, one waiting login, and what `passwd` says.
    fn office(passwd: &str) -> Office {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passwd");
        std::fs::write(&path, passwd).unwrap();
        let clock = Arc::new(HandClock::new());
        let host = Host { clock: Arc::<HandClock>::clone(&clock), ..Host::real() };
        let limits = LoginLimits { hash_threads: 1, queue: 1, ..LoginLimits::default() };
        let secret = Secret::new([1; 32]);
        let mechanisms =
            Mechanisms { scram: ScramOffer::WhenAllCan, cram_md5: true, apop: false, secret };
        let file = PasswdUsers::new(PasswdFile::new(host.clone(), path));
        let users = Users::default().with(Arc::new(file), None);
        let authenticator = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
        Office { dir, clock, authenticator }
    }

    impl Office {
        async fn login(&self, user: &str, password: &str) -> &'static str {
            let password = Secret::new(password.as_bytes().to_vec());
            let login = Login::Password { user: user.to_owned(), password };
            match self.authenticator.authenticate(&login).await {
                Ok(account) => {
                    assert_eq!(account.owner.as_str(), user);
                    "in"
                }
                Err(AuthError::Refused) => "refused",
                Err(_) => "unavailable",
            }
        }
    }

    /// RFC 4013: a password counts as prepared, however it was typed and whoever stored it.
    #[tokio::test]
    async fn s67_s82_passwords_are_compared_as_prepared_and_as_they_came() {
        let (composed, decomposed) = ("p\u{e4}ss", "pa\u{308}ss");
        let office = office(&format!("anna:{{PLAIN}}{composed}\nfred:{{PLAIN}}{decomposed}\n"));
        for (user, password, outcome) in [
            ("anna", composed, "in"),
            ("anna", decomposed, "in"),
            ("anna", "p\u{e4}s\u{ad}s", "in"),
            ("anna", "pass", "refused"),
            ("fred", decomposed, "in"),
            ("fred", composed, "in"),
        ] {
            assert_eq!(office.login(user, password).await, outcome, "{user} {password:?}");
        }
        // The MD5 of the stamp and of either form.
        for answer in [b"ea4af2851013d851a35d4ce4663baa37", b"7deb98ec9ccb99196415b2a445cca2da"] {
            let digest = Digest::apop("<1@here>", answer);
            let login = Login::Digest { user: "fred".to_owned(), digest };
            assert!(office.authenticator.authenticate(&login).await.is_ok());
        }
    }

    const BCRYPT: &str = "$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa";

    #[tokio::test]
    async fn only_the_right_password_of_a_user_that_exists_gets_in() {
        let office = office(&format!("fred:{BCRYPT}\nmute:{{MD5}}x\nanna:{{PLAIN}}Two\n"));
        for (user, password, outcome) in [
            ("fred", "pa55 wörd", "in"),
            ("fred", "pa55 wörd ", "refused"),
            ("fred", "", "refused"),
            ("Fred", "pa55 wörd", "refused"),
            ("anna", "Two", "in"),
            ("anna", "pa55 wörd", "refused"),
            // The hash that stands in for nobody fits this very password.
            ("nobody", "pa55 wörd", "refused"),
            ("../fred", "pa55 wörd", "refused"),
            ("mute", "x", "refused"),
            ("mute", "pa55 wörd", "refused"),
            ("", "", "refused"),
        ] {
            assert_eq!(office.login(user, password).await, outcome, "{user:?} {password:?}");
        }
    }

    #[tokio::test]
    async fn a_good_login_is_remembered_for_its_time_and_costs_no_hash() {
        let office = office(&format!("fred:{BCRYPT}\n"));
        assert_eq!(office.login("fred", "pa55 wörd").await, "in");
        let release = occupy(&office.authenticator.pool);
        fill(&office.authenticator.pool);
        assert_eq!(office.login("fred", "pa55 wörd").await, "in");
        // All of these need a hash, and none can be had: what does not exist costs the same.
        for (user, password) in [("fred", "wrong"), ("nobody", "x"), ("../x", "x"), ("", "")] {
            assert_eq!(office.login(user, password).await, "unavailable", "{user:?}");
        }
        office.clock.advance(Duration::from_secs(300));
        assert_eq!(office.login("fred", "pa55 wörd").await, "unavailable");
        drop(release);
    }

    #[tokio::test]
    async fn a_changed_password_and_a_removed_user_count_at_once() {
        let office = office("fred:{PLAIN}one\n");
        let path = office.dir.path().join("passwd");
        assert_eq!(office.login("fred", "one").await, "in");
        std::fs::write(&path, "fred:{PLAIN}two\n").unwrap();
        assert_eq!(office.login("fred", "one").await, "refused");
        assert_eq!(office.login("fred", "two").await, "in");
        std::fs::write(&path, "anna:{PLAIN}two\n").unwrap();
        assert_eq!(office.login("fred", "two").await, "refused");
    }

    #[tokio::test]
    async fn a_user_database_that_cannot_be_read_refuses_nobody() {
        let office = office("fred:{PLAIN}one\n");
        assert_eq!(office.login("fred", "one").await, "in");
        std::fs::remove_file(office.dir.path().join("passwd")).unwrap();
        assert_eq!(office.login("fred", "one").await, "unavailable");
        std::fs::create_dir(office.dir.path().join("passwd")).unwrap();
        assert_eq!(office.login("fred", "one").await, "unavailable");
        assert_eq!(office.login("fred", "wrong").await, "unavailable");
    }

    #[tokio::test]
    async fn s70_s75_scram_keys_fit_the_password_or_none_and_proofs_open_maildrops() {
        let scram = format!(
            "{{SCRAM-SHA-1}}{}",
            crate::scram::to_text(&ScramKeys::derive(
                ScramHash::Sha1,
                b"two",
                b"salt".to_vec(),
                NonZero::new(77).unwrap(),
            ))
            .expose()
        );
        let office = office(&format!("anna:{{PLAIN}}one\nfred:{scram}\nhash:{BCRYPT}\n"));
        for (user, hash, password) in [
            ("anna", ScramHash::Sha256, Some("one")),
            ("anna", ScramHash::Sha1, Some("one")),
            ("fred", ScramHash::Sha1, Some("two")),
            ("fred", ScramHash::Sha256, None),
            ("hash", ScramHash::Sha256, None),
            ("nobody", ScramHash::Sha256, None),
            ("../x", ScramHash::Sha1, None),
        ] {
            let keys = office.authenticator.scram_keys(user, hash).await.unwrap();
            assert_eq!(keys, office.authenticator.scram_keys(user, hash).await.unwrap());
            let iterations = if hash == ScramHash::Sha1 { 77 } else { 4096 };
            assert_eq!(keys.iterations().get(), iterations, "{user} {hash:?}");
            for tried in ["one", "two", "pa55 wörd", ""] {
                let fits = keys.fit_password(tried.as_bytes());
                assert_eq!(fits, Some(tried) == password, "{user} {hash:?} {tried:?}");
            }
        }
        for (user, proven, good) in
            [("anna", true, true), ("anna", false, false), ("nobody", true, false)]
        {
            let login = Login::Proof { user: user.to_owned(), proven };
            let outcome = office.authenticator.authenticate(&login).await;
            assert_eq!(outcome.is_ok(), good, "{user} {proven}");
            assert!(good || matches!(outcome, Err(AuthError::Refused)));
        }
    }

    #[tokio::test]
    async fn s75_scram_keys_cost_the_same_work_for_every_name() {
        let office = office(&format!("anna:{{PLAIN}}one\nhash:{BCRYPT}\n"));
        let release = occupy(&office.authenticator.pool);
        fill(&office.authenticator.pool);
        for user in ["anna", "hash", "nobody", "../x"] {
            let keys = office.authenticator.scram_keys(user, ScramHash::Sha256).await;
            assert!(matches!(keys, Err(AuthError::Unavailable(_))), "{user}");
        }
        drop(release);
    }

    #[tokio::test]
    async fn s33_s74_digests_open_only_for_passwords_stored_in_clear() {
        let office = office(&format!("tim:{{PLAIN}}tanstaaftanstaaf\nhash:{BCRYPT}\n"));
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        let right = Digest::cram_md5(challenge, b"b913a602c7eda7a495b4e6e7334d3890");
        let wrong = Digest::cram_md5(challenge, b"b913a602c7eda7a495b4e6e7334d3891");
        for (user, digest, good) in [
            ("tim", &right, true),
            ("tim", &wrong, false),
            ("hash", &right, false),
            ("nobody", &right, false),
        ] {
            let login = Login::Digest { user: user.to_owned(), digest: digest.clone() };
            let outcome = office.authenticator.authenticate(&login).await;
            assert_eq!(outcome.is_ok(), good, "{user}");
            assert!(good || matches!(outcome, Err(AuthError::Refused)));
        }
    }

    #[tokio::test]
    async fn s55_r25_a_certificate_opens_the_maildrop_of_a_user_who_is_there() {
        let office = office("anna:{PLAIN}one\nmute:{MD5}x\n");
        for (given, names, good) in [
            (None, &["anna"][..], true),
            (Some("anna"), &["fred", "anna"], true),
            (Some("fred"), &["anna"], false),
            (None, &["fred"], false),
            (None, &["mute"], false),
            (None, &[], false),
            (Some("anna"), &[], false),
            (None, &["fred", "anna"], false),
            (None, &["../anna"], false),
        ] {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            let login = Login::Certificate { user: given.map(str::to_owned), names };
            let outcome = office.authenticator.authenticate(&login).await;
            assert_eq!(outcome.is_ok(), good, "{login:?}");
            assert!(good || matches!(outcome, Err(AuthError::Refused)));
        }
    }

    #[tokio::test]
    async fn scram_is_offered_when_all_users_can_use_it_and_follows_the_file() {
        let office = office("anna:{PLAIN}one\n");
        let path = office.dir.path().join("passwd");
        let both = Offers {
            scram_sha_256: true,
            scram_sha_1: true,
            cram_md5: true,
            apop: false,
            tokens: false,
        };
        assert_eq!(office.authenticator.offers().await, both);
        std::fs::write(&path, format!("anna:{{PLAIN}}one\nfred:{BCRYPT}\n")).unwrap();
        let digests = Offers { cram_md5: true, ..Offers::default() };
        assert_eq!(office.authenticator.offers().await, digests);
        std::fs::write(&path, format!("fred:{BCRYPT}\n")).unwrap();
        assert_eq!(office.authenticator.offers().await, Offers::default());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(office.authenticator.offers().await, Offers::default());
        let keys = office.authenticator.scram_keys("anna", ScramHash::Sha1).await;
        assert!(matches!(keys, Err(AuthError::Unavailable(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whoever_is_added_gets_in_with_that_password_alone(
            name in ".{0,12}|[a-z:#./ ]{0,4}",
            password in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                ".{0,8}".prop_map(String::into_bytes),
            ],
        ) {
            let office = office("");
            let file = PasswdFile::new(Host::real(), office.dir.path().join("passwd"));
            let usable = Owner::new(&name).is_ok()
                && !name.contains(':')
                && !name.starts_with('#')
                && BadPassword::check(&password).is_ok();
            let secret = Secret::new(password.clone());
            prop_assert_eq!(file.add(&name, &secret).is_ok(), usable);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let try_in = |password: Vec<u8>| {
                let login = Login::Password { user: name.clone(), password: Secret::new(password) };
                runtime.block_on(office.authenticator.authenticate(&login)).is_ok()
            };
            prop_assert_eq!(try_in(password.clone()), usable);
            let mut longer = password;
            longer.push(b'x');
            prop_assert!(!try_in(longer));
        }
    }

    #[tokio::test]
    async fn s73_a_token_opens_the_maildrop_of_its_user_who_must_exist_unless_told_otherwise() {
        let signer = Signer::new(jsonwebtoken::Algorithm::ES256);
        let by_token = async |office: &Office, token: String| {
            let (user, token) = (None, Secret::new(token));
            let mechanism = Mechanism::OauthBearer;
            let login = Login::Token { user, token, mechanism, host: None, port: None };
            let owner = office.authenticator.authenticate(&login).await;
            owner
                .map(|account| account.owner.as_str().to_owned())
                .map_err(|error| error.to_string())
        };
        let mut office = office("fred:{PLAIN}x\nmute:{MD5}x\n");
        let (fred, anna) = (json!({"email": "fred"}), json!({"email": "anna"}));
        let refused = Err(AuthError::Refused.to_string());
        assert_eq!(by_token(&office, signer.token(fred.clone())).await, refused, "not configured");
        assert!(!office.authenticator.offers().await.tokens);
        office.authenticator = office.authenticator.with_tokens(signer.tokens());
        assert!(office.authenticator.offers().await.tokens);
        assert_eq!(by_token(&office, signer.token(fred.clone())).await, Ok("fred".to_owned()));
        assert_eq!(by_token(&office, "x".to_owned()).await, refused);
        for nobody in ["anna", "mute", "../fred"] {
            let token = signer.token(json!({ "email": nobody }));
            assert_eq!(by_token(&office, token).await, refused, "{nobody}");
        }
        let issuer = Issuer { any_user: true, ..signer.issuer() };
        let tokens = Tokens::new(Host::real(), issuer).unwrap();
        office.authenticator = office.authenticator.with_tokens(tokens);
        assert_eq!(by_token(&office, signer.token(anna)).await, Ok("anna".to_owned()));
        let token = signer.token(json!({"email": "../fred"}));
        assert_eq!(by_token(&office, token).await, refused);
        std::fs::remove_file(signer.jwks()).unwrap();
        let unavailable = "logins cannot be checked now".to_owned();
        assert_eq!(by_token(&office, signer.token(fred)).await, Err(unavailable));
    }

    /// The same office with these databases, all of which keep counting.
    async fn with_databases(databases: &[Arc<Single>]) -> Office {
        let mut office = office("");
        let host = Host { clock: Arc::<HandClock>::clone(&office.clock), ..Host::real() };
        let users = databases.iter().fold(Users::default(), |users, database| {
            users.with(Arc::<Single>::clone(database), None)
        });
        let limits = LoginLimits { hash_threads: 1, queue: 1, ..LoginLimits::default() };
        let mechanisms = office.authenticator.mechanisms.clone();
        office.authenticator = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
        office
    }

    #[tokio::test]
    async fn the_first_database_that_knows_the_user_decides() {
        let (first, second) = (Single::new("fred", "{PLAIN}one"), Single::new("fred", "=two"));
        let third = Single::new("anna", "{PLAIN}three");
        let office = with_databases(&[first, second, third].map(Arc::new)).await;
        for (user, password, outcome) in [
            ("fred", "one", "in"),
            ("fred", "two", "refused"),
            ("anna", "three", "in"),
            ("anna", "one", "refused"),
            ("nobody", "one", "refused"),
        ] {
            assert_eq!(office.login(user, password).await, outcome, "{user} {password}");
        }
        let databases =
            [Single::new("fred", "=two"), Single::new("fred", "{PLAIN}one")].map(Arc::new);
        let office = with_databases(&databases).await;
        assert_eq!(office.login("fred", "one").await, "refused");
        assert_eq!(office.login("fred", "two").await, "in");
    }

    #[tokio::test]
    async fn r22_who_is_refused_has_cost_every_database_the_same_questions() {
        for stored in [["{PLAIN}one", "{PLAIN}one"], ["=one", "{PLAIN}one"], ["{PLAIN}one", "=one"]]
        {
            let users = ["fred", "anna"].into_iter().zip(stored);
            let databases: Vec<_> =
                users.map(|(user, stored)| Arc::new(Single::new(user, stored))).collect();
            let office = with_databases(&databases).await;
            for user in ["fred", "anna", "nobody"] {
                let before: Vec<_> = databases.iter().map(|database| database.asked()).collect();
                assert_eq!(office.login(user, "wrong").await, "refused");
                for (database, before) in databases.iter().zip(before) {
                    assert_eq!(database.asked(), before + 1, "{user} with {stored:?}");
                }
            }
            // And a hash each: none can be had now.
            let release = occupy(&office.authenticator.pool);
            fill(&office.authenticator.pool);
            for user in ["fred", "anna", "nobody"] {
                assert_eq!(office.login(user, "wrong").await, "unavailable", "{user} {stored:?}");
            }
            drop(release);
        }
    }

    #[tokio::test]
    async fn a_database_out_of_reach_refuses_nobody_and_no_other_stands_in_for_it() {
        let mut gone = Single::new("fred", "{PLAIN}one");
        gone.reachable = false;
        let (gone, here) = (Arc::new(gone), Arc::new(Single::new("anna", "{PLAIN}two")));
        let office = with_databases(&[Arc::clone(&gone), Arc::clone(&here)]).await;
        for (user, password) in [("fred", "one"), ("anna", "two"), ("nobody", "x")] {
            assert_eq!(office.login(user, password).await, "unavailable", "{user}");
            let keys = office.authenticator.scram_keys(user, ScramHash::Sha256).await;
            assert!(matches!(keys, Err(AuthError::Unavailable(_))), "{user}");
        }
        assert_eq!(here.asked(), 0);
        // Behind one that knows the user, it is in nobody's way; and nobody learns who is known.
        let office = with_databases(&[here, gone]).await;
        assert_eq!(office.login("anna", "two").await, "in");
        for user in ["anna", "fred", "nobody"] {
            assert_eq!(office.login(user, "wrong").await, "unavailable", "{user}");
        }
    }

    #[tokio::test]
    async fn r21_names_that_cannot_be_users_are_asked_of_no_database() {
        let database = Arc::new(Single::new("fred", "{PLAIN}one"));
        let office = with_databases(&[Arc::clone(&database)]).await;
        for name in ["", "../x", "a/b", "a\0b", "a\nb", ".", &"x".repeat(256)] {
            assert_eq!(office.login(name, "one").await, "refused", "{name:?}");
        }
        assert_eq!(database.asked(), 0);
        // All others are asked for as they are.
        for name in ["' OR 1=1 --", "*)(uid=*", "%s%n", "{user}", "${x}", "fred\u{301}"] {
            assert_eq!(office.login(name, "one").await, "refused", "{name:?}");
            assert_eq!(database.asked.lock().unwrap().pop().as_deref(), Some(name));
        }
    }

    #[tokio::test]
    async fn scram_is_offered_for_all_databases_together_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::real();
        let database = |name: &str, passwd: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, passwd).unwrap();
            Arc::new(PasswdUsers::new(PasswdFile::new(Host::real(), path)))
        };
        let offers = async |databases: &[Arc<PasswdUsers>]| {
            let users = databases.iter().fold(Users::default(), |users, database| {
                users.with(Arc::<PasswdUsers>::clone(database), None)
            });
            let secret = Secret::new([1; 32]);
            let scram = ScramOffer::WhenAllCan;
            let mechanisms = Mechanisms { scram, cram_md5: true, apop: false, secret };
            let limits = LoginLimits::default();
            let logins = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
            let offers = logins.offers().await;
            (offers.scram_sha_256, offers.cram_md5)
        };
        let clear = database("clear", "fred:{PLAIN}x\nshut:{PLAIN}x::::::nologin\n");
        let hashed = database("hashed", &format!("anna:{BCRYPT}\n"));
        let shut = database("shut", &format!("anna:{BCRYPT}::::::nologin\n"));
        assert_eq!(offers(&[Arc::clone(&clear), Arc::clone(&shut)]).await, (true, true));
        assert_eq!(offers(&[Arc::clone(&clear), Arc::clone(&hashed)]).await, (false, true));
        assert_eq!(offers(&[hashed]).await, (false, false));
        assert_eq!(offers(&[shut]).await, (false, false));
    }

    #[tokio::test]
    async fn a_line_says_who_may_log_in_and_where_the_maildrop_lies() {
        let office = office(
            "fred:{PLAIN}one::::::userdb_mail=maildir:/m/fred allow_nets=192.0.2.0/24\n\
             shut:{PLAIN}one::::::nologin\nlost:{PLAIN}one::::::userdb_mail=mbox:/m/lost\n",
        );
        let password = || Secret::new(b"one".to_vec());
        let login = Login::Password { user: "fred".to_owned(), password: password() };
        let account = office.authenticator.authenticate(&login).await.unwrap();
        assert_eq!(account.owner.place(), Some(std::path::Path::new("/m/fred")));
        assert!(!account.terms.allow("192.0.3.1".parse().unwrap()));
        assert_eq!(office.login("shut", "one").await, "refused");
        let proof = Login::Proof { user: "shut".to_owned(), proven: true };
        let proven = office.authenticator.authenticate(&proof).await;
        assert!(matches!(proven, Err(AuthError::Refused)));
        // An empty maildrop in the usual place would be worse than none.
        assert_eq!(office.login("lost", "one").await, "unavailable");
    }
}

//! Checks logins against a passwd-file.
//!
//! In: a login. Out: whose maildrop it opens. A login of the last minutes is known again; any
//! other costs one hash on a thread of the pool, also when there is no such user, so that time
//! does not tell names (RFC 1939 section 13). A user database that cannot be read and a pool that
//! is busy are `Unavailable`, never `Refused`: a mail program asks for the password again after
//! the latter (RFC 3206).

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use restante_maildrop::{AuthError, Authenticator, BoxFuture, Login, Owner};
use restante_proto::Secret;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};
use restante_proto::sasl::{Digest, Offers};

use crate::cache::{Cache, CacheKey};
use crate::file::Watched;
use crate::pool::Pool;
use crate::scram::Maker;
use crate::{Hash, Mechanisms, PasswdFile, Tokens};

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

/// Checks logins against a [`PasswdFile`]. Needs a tokio runtime around it.
#[derive(Debug)]
pub struct PasswdAuthenticator {
    known: Arc<Known>,
    pool: Pool,
    mechanisms: Mechanisms,
    maker: Maker,
    tokens: Option<Arc<Tokens>>,
}

/// What can be said without a hash.
#[derive(Debug)]
struct Known {
    users: Watched,
    cache: Cache,
}

/// What a login's name and password lead to before any hash.
enum Lookup {
    /// The login was good a little while ago.
    Cached(Owner),
    /// The password must be compared with `hash`; without an owner it is for nothing.
    Compare { owner: Option<Owner>, hash: Arc<Hash>, key: CacheKey },
}

impl PasswdAuthenticator {
    /// Checks against `file`, which is read at the first login.
    ///
    /// # Errors
    /// When no thread can be started, or there is no randomness for the cache's key.
    pub fn new(file: PasswdFile, limits: LoginLimits, mechanisms: Mechanisms) -> io::Result<Self> {
        let host = file.host();
        let cache = Cache::new(&*host.rng, limits.cache_ttl, limits.cache_entries)?;
        let threads = match limits.hash_threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get).saturating_sub(1),
            threads => threads,
        };
        let pool = Pool::new(Arc::clone(&host.clock), threads, limits.queue, limits.wait)?;
        let known = Arc::new(Known { users: Watched::new(file), cache });
        let maker = Maker::new(&mechanisms.secret)?;
        Ok(Self { known, pool, mechanisms, maker, tokens: None })
    }

    /// The same, which takes these tokens beside passwords.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(Arc::new(tokens));
        self
    }

    async fn check(&self, user: &str, password: &Secret<Vec<u8>>) -> Result<Owner, AuthError> {
        let (user, for_lookup) = (user.to_owned(), password.clone());
        let lookup = self.ask(move |known| known.look_up(&user, for_lookup.expose())).await?;
        let (owner, hash, key) = match lookup {
            Lookup::Cached(owner) => return Ok(owner),
            Lookup::Compare { owner, hash, key } => (owner, hash, key),
        };
        let password = password.clone();
        let fits = self.pool.run(move || hash.verify(password.expose())).await;
        let fits = fits.map_err(AuthError::Unavailable)?;
        match owner {
            Some(owner) if fits => {
                self.known.cache.insert(key, self.known.users.host().clock.monotonic());
                Ok(owner)
            }
            _ => Err(AuthError::Refused),
        }
    }

    /// Reads the user database off the async threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Known) -> io::Result<T> + Send + 'static,
    ) -> Result<T, AuthError> {
        let known = Arc::clone(&self.known);
        let answer = tokio::task::spawn_blocking(move || question(&known)).await;
        answer.map_err(io::Error::other).flatten().map_err(AuthError::Unavailable)
    }

    /// Whose maildrop a proof opens that the session has checked. The keys it was checked with
    /// were this user's; the user may have gone meanwhile.
    async fn proven(&self, user: &str) -> Result<Owner, AuthError> {
        let user = user.to_owned();
        let owner = self.ask(move |known| {
            let passwd = known.users.users()?;
            let found = passwd.user(&user).filter(|user| user.password.is_ok());
            Ok(found.map(|user| user.owner.clone()))
        });
        owner.await?.ok_or(AuthError::Refused)
    }

    /// Whose maildrop a digest opens; only a password stored in clear can be compared with it.
    async fn digested(&self, user: &str, digest: &Digest) -> Result<Owner, AuthError> {
        let (user, digest) = (user.to_owned(), digest.clone());
        let owner = self.ask(move |known| {
            let passwd = known.users.users()?;
            let found = passwd.user(&user).and_then(|user| {
                let password = user.password.as_ref().ok()?.in_clear()?;
                Some((user.owner.clone(), password))
            });
            // The digest is made for nobody too.
            let password = found.as_ref().map_or(&b"nobody"[..], |(_, password)| password.expose());
            let fits = digest.fits(password);
            Ok(found.filter(|_| fits).map(|(owner, _)| owner))
        });
        owner.await?.ok_or(AuthError::Refused)
    }

    /// Whose maildrop a token opens.
    async fn tokened(
        &self,
        named: Option<&str>,
        token: &Secret<String>,
    ) -> Result<Owner, AuthError> {
        let tokens = self.tokens.as_ref().ok_or(AuthError::Refused)?;
        let (checker, named) = (Arc::clone(tokens), named.map(str::to_owned));
        let token = token.clone();
        let user = self.pool.run(move || checker.user(token.expose(), named.as_deref())).await;
        let user = user.flatten().map_err(AuthError::Unavailable)?.ok_or(AuthError::Refused)?;
        if tokens.any_user() {
            return Owner::new(&user).map_err(|_| AuthError::Refused);
        }
        self.proven(&user).await
    }

    async fn make_keys(&self, user: &str, hash: ScramHash) -> Result<ScramKeys, AuthError> {
        let name = user.to_owned();
        let (material, iterations) = self
            .ask(move |known| {
                let passwd = known.users.users()?;
                let stored = passwd.user(&name).and_then(|user| user.password.as_ref().ok());
                let material = stored.and_then(|stored| stored.scram_material(hash));
                Ok((material, passwd.scram_iterations(hash)))
            })
            .await?;
        let (maker, name) = (self.maker.clone(), user.to_owned());
        let keys = self.pool.run(move || maker.keys(&name, hash, iterations, material)).await;
        keys.map_err(AuthError::Unavailable)
    }
}

impl Known {
    fn look_up(&self, user: &str, password: &[u8]) -> io::Result<Lookup> {
        let passwd = self.users.users()?;
        let found = passwd.user(user).and_then(|user| {
            user.password.as_ref().ok().map(|hash| (user.owner.clone(), Arc::clone(hash)))
        });
        let (owner, hash) = match found {
            Some((owner, hash)) => (Some(owner), hash),
            None => (None, passwd.stand_in()),
        };
        let key = self.cache.key(user, password, hash.to_field().expose());
        match owner {
            Some(owner) if self.cache.contains(&key, self.users.host().clock.monotonic()) => {
                Ok(Lookup::Cached(owner))
            }
            owner => Ok(Lookup::Compare { owner, hash, key }),
        }
    }
}

impl Authenticator for PasswdAuthenticator {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Owner, AuthError>> {
        Box::pin(async move {
            match login {
                Login::Password { user, password } => self.check(user, password).await,
                Login::Proof { user, proven: true } => self.proven(user).await,
                Login::Digest { user, digest } => self.digested(user, digest).await,
                Login::Token { user, token, .. } => self.tokened(user.as_deref(), token).await,
                // A proof that failed, or a kind of login that a passwd-file knows nothing of.
                _ => Err(AuthError::Refused),
            }
        })
    }

    fn offers(&self) -> BoxFuture<'_, Offers> {
        Box::pin(async move {
            let mechanisms = self.mechanisms.clone();
            let offers = self.ask(move |known| Ok(mechanisms.offers(&*known.users.users()?)));
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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;
    use std::time::{Instant, SystemTime};

    use proptest::prelude::*;
    use restante_host::{Clock, Host, HostClock};
    use restante_proto::sasl::Mechanism;
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::pool::tests::{fill, occupy};
    use crate::tokens::tests::Signer;
    use crate::{Issuer, ScramOffer};

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
        authenticator: PasswdAuthenticator,
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
        let authenticator =
            PasswdAuthenticator::new(PasswdFile::new(host, path), limits, mechanisms).unwrap();
        Office { dir, clock, authenticator }
    }

    impl Office {
        async fn login(&self, user: &str, password: &str) -> &'static str {
            let password = Secret::new(password.as_bytes().to_vec());
            let login = Login::Password { user: user.to_owned(), password };
            match self.authenticator.authenticate(&login).await {
                Ok(owner) => {
                    assert_eq!(owner.as_str(), user);
                    "in"
                }
                Err(AuthError::Refused) => "refused",
                Err(_) => "unavailable",
            }
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
            password in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let office = office("");
            let file = PasswdFile::new(Host::real(), office.dir.path().join("passwd"));
            let fit = |b: &u8| !matches!(b, b'\0' | b'\r' | b'\n');
            let usable = Owner::new(&name).is_ok()
                && !name.contains(':')
                && !name.starts_with('#')
                && !password.is_empty()
                && password.iter().all(fit);
            let secret = Secret::new(password.clone());
            prop_assert_eq!(file.add(&name, &secret).is_ok(), usable);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
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
            let login = Login::Token { user, token, mechanism: Mechanism::OauthBearer };
            let owner = office.authenticator.authenticate(&login).await;
            owner.map(|owner| owner.as_str().to_owned()).map_err(|error| error.to_string())
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
}

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
use restante_maildrop::{Account, AuthError, Authenticator, BoxFuture, Login, OwnTerms, Owner};
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
                    match record {
                        // Whoever the issuer names is let in, but for whom we keep out.
                        Some(record) if record.is_barred() => Err(tokens::Fault::Barred),
                        Some(record) => Ok(record.account),
                        None => Ok(owner.into()),
                    }
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

    fn own_terms(&self) -> BoxFuture<'_, OwnTerms> {
        Box::pin(async move {
            let own = self.ask(|known| Ok(known.users.overview()?.own_terms()));
            // As above.
            own.await.unwrap_or_default()
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
pub(crate) mod tests;

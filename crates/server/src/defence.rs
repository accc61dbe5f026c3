//! The defence against guessed passwords.
//!
//! In: who wants to log in, from where, and what came of it. Out: when the password may be
//! checked, or that it will not be. A try is counted when it begins, not when it fails, so that
//! many at once gain nothing; [`table`] has the rules. Waiting costs a timer: no thread, no lock,
//! and a place among a bounded number; who finds none is turned away. Tries that may be checked then
//! take turns: [`turns`] has those rules.

mod table;
mod turns;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use restante_host::Clock;
use restante_maildrop::Login;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use table::{Outcome, Table, Tried, Verdict, networks};
use turns::Turns;
pub(crate) use turns::{Crowded, Turn};

/// How many tries are free and what the others cost; docs/limits.md has the reasons.
#[derive(Debug, Clone)]
pub struct DefenceLimits {
    /// Tries at one user's password from one address that cost nothing; four times as many from
    /// the network around it.
    pub tries_per_user: usize,
    /// The same for all users together.
    pub tries_per_address: usize,
    /// The longest delay, and the longest a login waits for its turn.
    pub delay_max: Duration,
    /// Logins that may wait at once.
    pub waiting: usize,
    /// Failures are forgotten after this time without another one.
    pub forget_time: Duration,
    /// Failures of an address that ban it; 0 is never.
    pub ban_tries: usize,
    /// How long a ban lasts.
    pub ban_time: Duration,
    /// Counters kept; the oldest are forgotten first.
    pub entries: usize,
    /// Networks that many share, such as a web reader's: never banned and not counted as a whole.
    pub exempt: Vec<IpNet>,
    /// What parts a user's name from a folder's, where logins can name folders: they are all
    /// tries at one password.
    pub folder_separator: Option<char>,
    /// Passwords checked at once of users who have not logged in lately from where they are; one
    /// more is checked for those who have.
    pub checks: usize,
    /// Logins that may wait for such a check.
    pub queue: usize,
    /// How long.
    pub queue_wait: Duration,
}

impl Default for DefenceLimits {
    fn default() -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 0]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let networks = loopback.into_iter().zip([8, 128]);
        Self {
            tries_per_user: 5,
            tries_per_address: 10,
            delay_max: Duration::from_secs(30),
            waiting: 1000,
            forget_time: Duration::from_secs(900),
            ban_tries: 20,
            ban_time: Duration::from_secs(600),
            entries: 100_000,
            exempt: networks.filter_map(|(ip, prefix)| IpNet::new(ip, prefix).ok()).collect(),
            folder_separator: None,
            checks: 1,
            queue: 256,
            queue_wait: Duration::from_secs(10),
        }
    }
}

/// The defence of one server.
#[derive(Debug)]
pub struct Defence {
    clock: Arc<dyn Clock>,
    delay_max: Duration,
    folder_separator: Option<char>,
    table: Mutex<Table>,
    waiting: Semaphore,
    turns: Turns,
    /// Passwords are compared by a hash with a key that lives as long as the process.
    hasher: RandomState,
}

/// A try whose turn it is. Dropped without an outcome, it counts for nothing.
#[derive(Debug)]
pub(crate) struct Try<'a> {
    defence: &'a Defence,
    tried: Option<Tried>,
}

/// The password will not be checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway;

impl Defence {
    /// A defence that has seen nobody yet.
    #[must_use]
    pub fn new(limits: DefenceLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            delay_max: limits.delay_max,
            folder_separator: limits.folder_separator,
            waiting: Semaphore::new(limits.waiting.min(Semaphore::MAX_PERMITS)),
            turns: Turns::new(limits.checks, limits.queue, limits.queue_wait),
            table: Mutex::new(Table::new(limits)),
            hasher: RandomState::new(),
        }
    }

    /// Whether nobody at `address` is let in at present.
    pub(crate) fn is_banned(&self, address: IpAddr) -> bool {
        self.table().is_banned(address, self.clock.monotonic())
    }

    /// Waits until the user's password may be checked. Cancel-safe: a try that is given up counts
    /// for nothing.
    pub(crate) async fn admit(&self, user: &str, address: IpAddr) -> Result<Try<'_>, TurnedAway> {
        let user = self.key(user);
        let deadline = Instant::from_std(self.clock.monotonic()) + self.delay_max;
        let mut place = None;
        loop {
            let verdict = self.table().begin(user, address, self.clock.monotonic());
            match verdict {
                Verdict::Now(tried) => return Ok(Try { defence: self, tried: Some(tried) }),
                Verdict::At(turn, tried) => {
                    let granted = Try { defence: self, tried: Some(tried) };
                    self.take_place(&mut place)?;
                    sleep_until(Instant::from_std(turn)).await;
                    return Ok(granted);
                }
                Verdict::Busy(freed) => {
                    self.take_place(&mut place)?;
                    timeout_at(deadline, freed).await.map_err(|_| TurnedAway)?;
                }
                Verdict::Never => return Err(TurnedAway),
            }
        }
    }

    /// Waits for a turn at what costs a processor before there is anything to check.
    pub(crate) async fn turn(&self, user: &str, address: IpAddr) -> Result<Turn<'_>, Crowded> {
        let (_, network) = networks(address);
        let user = self.key(user);
        let known = self.table().is_known(user, address);
        self.turns.take(user, network, known).await
    }

    /// What stands for a user in the counters.
    fn key(&self, user: &str) -> u64 {
        let parted = self.folder_separator.and_then(|separator| user.split_once(separator));
        let user = match parted.map(|(user, rest)| (user, rest.rsplit_once('@'))) {
            // fred+Lists@example.org is fred@example.org, not fred.
            Some((user, Some((_, domain)))) if !user.contains('@') => format!("{user}@{domain}"),
            Some((user, _)) => user.to_owned(),
            None => user.to_owned(),
        };
        self.hasher.hash_one(user.to_lowercase())
    }

    fn take_place<'a>(
        &'a self,
        place: &mut Option<tokio::sync::SemaphorePermit<'a>>,
    ) -> Result<(), TurnedAway> {
        if place.is_none() {
            *place = Some(self.waiting.try_acquire().map_err(|_| TurnedAway)?);
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Counts are right even if a thread died holding the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Try<'a> {
    /// Waits until it is this try's turn to cost a processor.
    pub(crate) async fn turn(&self) -> Result<Turn<'a>, Crowded> {
        // Only a try that has ended has none.
        let tried = self.tried.as_ref().ok_or(Crowded)?;
        let (user, network, known) = tried.source();
        self.defence.turns.take(user, network, known).await
    }

    /// The password was right.
    pub(crate) fn good(mut self) {
        self.finish(Outcome::Good);
    }

    /// It was wrong. Says whether the address is banned now because of it.
    pub(crate) fn wrong(mut self, login: &Login) -> bool {
        let guess = match login {
            Login::Password { password, .. } => {
                Some(self.defence.hasher.hash_one(password.expose()))
            }
            // A mail program goes on with a token that has run out.
            Login::Token { token, .. } => Some(self.defence.hasher.hash_one(token.expose())),
            // Nor is a certificate a guess.
            Login::Certificate { names, .. } => Some(self.defence.hasher.hash_one(names)),
            _ => None,
        };
        self.finish(Outcome::Wrong(guess))
    }

    fn finish(&mut self, outcome: Outcome) -> bool {
        let now = self.defence.clock.monotonic();
        self.tried.take().is_some_and(|tried| self.defence.table().finish(&tried, outcome, now))
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.finish(Outcome::Unknown);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use restante_host::HostClock;
    use restante_proto::Secret;

    use super::*;

    /// The clock of the paused runtime.
    #[derive(Debug)]
    struct Paused;

    impl Clock for Paused {
        fn monotonic(&self) -> std::time::Instant {
            Instant::now().into_std()
        }

        fn wall(&self) -> SystemTime {
            HostClock.wall()
        }
    }

    fn defence(limits: DefenceLimits) -> Arc<Defence> {
        Arc::new(Defence::new(limits, Arc::new(Paused)))
    }

    fn login(password: &str) -> Login {
        let password = Secret::new(password.as_bytes().to_vec());
        Login::Password { user: "fred".to_owned(), password }
    }

    const ATTACKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    /// Goal: however many connections try at once, no more passwords are checked than one
    /// connection could have checked. Method: a thousand at once, and again and again for an hour
    /// of the runtime's paused clock.
    #[tokio::test(start_paused = true)]
    async fn r24_parallel_tries_are_no_faster_than_one_after_the_other() {
        let limits = DefenceLimits { ban_tries: 0, ..DefenceLimits::default() };
        let defence = defence(limits);
        let began = Instant::now();
        let mut checked = Vec::new();
        let mut round = 0;
        while began.elapsed() < Duration::from_secs(3600) {
            round += 1;
            let tries = (0..1000).map(|number| {
                let defence = Arc::clone(&defence);
                tokio::spawn(async move {
                    let granted = defence.admit("fred", ATTACKER).await.ok()?;
                    let at = Instant::now() - began;
                    // A check takes its time, in which others may try.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    granted.wrong(&login(&format!("{round} {number}")));
                    Some(at)
                })
            });
            for granted in tries.collect::<Vec<_>>() {
                checked.extend(granted.await.unwrap());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let within =
            |seconds| checked.iter().filter(|at| **at < Duration::from_secs(seconds)).count();
        assert!(within(1) <= 5, "{checked:?}");
        assert!(within(60) <= 11, "{checked:?}");
        assert!(within(3600) <= 130, "{}", within(3600));
        assert!(within(3600) >= 60, "it is a delay, not a lock: {}", within(3600));
    }

    /// Goal: a whole network of guessers is bounded as one address is, at four times the free
    /// tries. Method: each of 250 addresses tries at once, again and again for an hour of the
    /// runtime's paused clock.
    #[tokio::test(start_paused = true)]
    async fn r24_a_network_of_guessers_is_as_slow_as_one() {
        let limits = DefenceLimits { ban_tries: 0, ..DefenceLimits::default() };
        let defence = defence(limits);
        let began = Instant::now();
        let (mut checked, mut round) = (Vec::new(), 0);
        while began.elapsed() < Duration::from_secs(3600) {
            round += 1;
            let tries = (0..250).map(|host| {
                let defence = Arc::clone(&defence);
                tokio::spawn(async move {
                    let granted = defence.admit("fred", [192, 0, 2, host].into()).await.ok()?;
                    let at = Instant::now() - began;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    granted.wrong(&login(&format!("{round} {host}")));
                    Some(at)
                })
            });
            for granted in tries.collect::<Vec<_>>() {
                checked.extend(granted.await.unwrap());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let soon = checked.iter().filter(|at| **at < Duration::from_secs(60)).count();
        assert!(soon <= 26, "{soon}");
        assert!((60..=145).contains(&checked.len()), "{}", checked.len());
    }

    #[tokio::test(start_paused = true)]
    async fn r24_the_owner_elsewhere_is_not_delayed() {
        let defence = defence(DefenceLimits::default());
        for number in 0..12 {
            if let Ok(granted) = defence.admit("fred", ATTACKER).await {
                granted.wrong(&login(&number.to_string()));
            }
        }
        let before = Instant::now();
        defence.admit("fred", OWNER).await.unwrap().good();
        assert_eq!(before.elapsed(), Duration::ZERO);
        // At the attacker's own address everybody is.
        assert!(defence.admit("fred", ATTACKER).await.is_ok());
        assert!(before.elapsed() > Duration::from_secs(5), "{:?}", before.elapsed());
    }

    /// Goal: many mail programs of one house that all know their passwords wait for nothing but
    /// each other, though there are more than there are free tries.
    #[tokio::test(start_paused = true)]
    async fn r24_good_logins_at_once_only_wait_for_each_other() {
        let defence = defence(DefenceLimits::default());
        let before = Instant::now();
        let logins: Vec<_> = (0..200)
            .map(|number| {
                let defence = Arc::clone(&defence);
                tokio::spawn(async move {
                    let granted = defence.admit(&format!("user {number}"), OWNER).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    granted.good();
                })
            })
            .collect();
        for login in logins {
            login.await.unwrap();
        }
        assert_eq!(before.elapsed(), Duration::from_millis(100) * 200 / 10);
    }

    /// Goal: SCRAM, which costs its work before there is a proof, is no way around the turns and
    /// no way to lose one's own.
    #[tokio::test(start_paused = true)]
    async fn r23_keys_for_who_is_known_do_not_wait_for_strangers() {
        let defence = defence(DefenceLimits::default());
        defence.admit("fred", OWNER).await.unwrap().good();
        let guess = defence.turn("fred", ATTACKER).await.unwrap();
        assert_eq!(defence.turn("anna", ATTACKER).await.unwrap_err(), Crowded);
        let before = Instant::now();
        defence.turn("fred", OWNER).await.unwrap();
        assert_eq!(before.elapsed(), Duration::ZERO);
        drop(guess);
    }

    #[tokio::test(start_paused = true)]
    async fn r24_folders_and_letters_make_no_other_user() {
        let limits = DefenceLimits { waiting: 0, tries_per_user: 3, ..DefenceLimits::default() };
        let defence = defence(DefenceLimits { folder_separator: Some('+'), ..limits });
        for user in ["fred", "fred+a", "FRED+b+c"] {
            defence.admit(user, ATTACKER).await.unwrap().wrong(&login(user));
        }
        assert_eq!(defence.admit("fred+d", ATTACKER).await.unwrap_err(), TurnedAway);
        assert!(defence.admit("anna", ATTACKER).await.is_ok());
        let at = ["fred@b.example", "fred+a@b.example", "fred@b.example+a"];
        for user in at {
            defence.admit(user, OWNER).await.unwrap().wrong(&login(user));
        }
        for user in at {
            assert_eq!(defence.admit(user, OWNER).await.unwrap_err(), TurnedAway, "{user}");
        }
        for other in ["fred", "fred@c.example", "fred+a@c.example"] {
            assert!(defence.admit(other, OWNER).await.is_ok(), "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn r24_only_so_many_wait_and_who_gives_up_makes_room() {
        let limits = DefenceLimits { tries_per_user: 1, waiting: 1, ..DefenceLimits::default() };
        let defence = defence(limits);
        for user in ["fred", "anna"] {
            defence.admit(user, OWNER).await.unwrap().wrong(&login("x"));
        }
        let other = Arc::clone(&defence);
        let waits = tokio::spawn(async move { other.admit("fred", OWNER).await.is_ok() });
        tokio::task::yield_now().await;
        assert_eq!(defence.admit("anna", OWNER).await.unwrap_err(), TurnedAway);
        waits.abort();
        assert!(waits.await.is_err());
        assert!(defence.admit("anna", OWNER).await.is_ok());
    }
}

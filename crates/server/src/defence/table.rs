//! The counters of the defence, as a function of time.
//!
//! In: tries as they begin and end. Out: when one may be checked. Each try is counted at four
//! places: the user's password as tried from the address and from the network around it, and all
//! tries from the address and from that network. An address is one of IPv4 or a /64 of IPv6, the
//! network is a /24 or a /48, which has four times as many free tries.
//!
//! At each place there are free tries. As many may be checked at once as are left of them; more
//! wait for one to end. When they are used up by failures, one try is checked after the other, and
//! after each failure the next one waits twice as long. Whoever has logged in from an address
//! before is judged there by that address's tries at the password alone, so that no stranger in
//! the neighbourhood delays the owner. The same wrong password again is no guess and counts for
//! nothing, until it comes so often that it is a nuisance: then it makes that user wait at that
//! address and nobody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::DefenceLimits;

/// When a try may be checked.
#[derive(Debug)]
pub(super) enum Verdict {
    /// At once.
    Now(Tried),
    /// At that time; it is counted already.
    At(Instant, Tried),
    /// Not before another one has ended; ask again then.
    Busy(OwnedNotified),
    /// Not in any time that is worth waiting.
    Never,
}

/// What came of a try.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Good,
    /// With what tells one password from another, where there is such a thing.
    Wrong(Option<u64>),
    Unknown,
}

/// A try that has begun: where it counts.
#[derive(Debug)]
pub(super) struct Tried {
    places: Places,
    user: u64,
    network: Option<IpNet>,
    known: bool,
    /// At how many of them it was counted when it began.
    counted: usize,
}

#[derive(Debug)]
pub(super) struct Table {
    limits: DefenceLimits,
    /// Counters in use lately, and those of the time before; the latter go first.
    young: HashMap<Key, Counter>,
    old: HashMap<Key, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    user: Option<u64>,
    network: Option<IpNet>,
}

#[derive(Debug)]
struct Counter {
    failures: usize,
    last_failure: Instant,
    /// Tries that have begun and not ended.
    pending: usize,
    /// When the next one may be checked, once the free ones are used up.
    next: Instant,
    last_guess: Option<u64>,
    /// How often the last guess came again.
    repeated: usize,
    /// The user has logged in from there.
    known: bool,
    banned_until: Option<Instant>,
    freed: Option<Arc<Notify>>,
}

/// Where a try counts, the narrowest place first, with the tries that are free there. An exempt
/// address has the user's places only.
type Places = Vec<(Key, usize)>;

impl Tried {
    /// The user, the network, and whether the user has logged in from that address lately.
    pub(super) const fn source(&self) -> (u64, Option<IpNet>, bool) {
        (self.user, self.network, self.known)
    }
}

impl Table {
    pub(super) fn new(limits: DefenceLimits) -> Self {
        Self { limits, young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn is_banned(&mut self, address: IpAddr, now: Instant) -> bool {
        let (network, _) = networks(address);
        let key = Key { user: None, network };
        let counter = self.young.get(&key).or_else(|| self.old.get(&key));
        counter.is_some_and(|counter| counter.is_banned(now))
    }

    /// Whether the user has logged in from that address lately.
    pub(super) fn is_known(&self, user: u64, address: IpAddr) -> bool {
        let (network, _) = networks(address);
        let key = Key { user: Some(user), network };
        let counter = self.young.get(&key).or_else(|| self.old.get(&key));
        counter.is_some_and(|counter| counter.known)
    }

    /// Counts a try that begins.
    pub(super) fn begin(&mut self, user: u64, address: IpAddr, now: Instant) -> Verdict {
        let places = self.places(user, address);
        let known = places.first().is_some_and(|(key, _)| self.counter(*key, now).known);
        let counted = if known { 1 } else { places.len() };
        let mut turn = now;
        for (key, free) in places.iter().take(counted) {
            let counter = self.counter(*key, now);
            if counter.is_banned(now) {
                return Verdict::Never;
            } else if counter.failures >= *free {
                turn = turn.max(counter.next);
            } else if counter.failures.saturating_add(counter.pending) >= *free {
                let freed = counter.freed.get_or_insert_default();
                return Verdict::Busy(Arc::clone(freed).notified_owned());
            }
        }
        if turn.saturating_duration_since(now) > self.limits.delay_max {
            return Verdict::Never;
        }
        let delay_max = self.limits.delay_max;
        for (key, free) in places.iter().take(counted) {
            let counter = self.counter(*key, now);
            counter.pending = counter.pending.saturating_add(1);
            if counter.failures >= *free {
                let over = counter.failures.saturating_add(counter.pending).saturating_sub(*free);
                counter.next = turn + delay(over, delay_max);
            }
        }
        let (_, network) = networks(address);
        let tried = Tried { places, user, network, known, counted };
        if turn > now { Verdict::At(turn, tried) } else { Verdict::Now(tried) }
    }

    /// Counts what came of a try. Says whether it has led to a ban.
    pub(super) fn finish(&mut self, tried: &Tried, outcome: Outcome, now: Instant) -> bool {
        for (key, _) in tried.places.iter().take(tried.counted) {
            let counter = self.counter(*key, now);
            counter.pending = counter.pending.saturating_sub(1);
            if let Some(freed) = counter.freed.take() {
                freed.notify_waiters();
            }
        }
        let Some((first, _)) = tried.places.first() else { return false };
        let counter = self.counter(*first, now);
        let counts = match outcome {
            Outcome::Unknown => return false,
            Outcome::Good => {
                (counter.failures, counter.next, counter.known) = (0, now, true);
                return false;
            }
            Outcome::Wrong(guess) => {
                let again = guess.is_some() && counter.last_guess == guess;
                counter.last_guess = guess;
                counter.repeated = if again { counter.repeated.saturating_add(1) } else { 0 };
                match counter.repeated {
                    0 => tried.places.len(),
                    1..=REPEATS_FREE => return false,
                    _ => 1,
                }
            }
        };
        let DefenceLimits { delay_max, ban_tries, ban_time, .. } = self.limits;
        let mut banned = false;
        for (index, (key, free)) in tried.places.iter().take(counts).enumerate() {
            let counter = self.counter(*key, now);
            counter.failures = counter.failures.saturating_add(1);
            counter.last_failure = now;
            if counter.failures >= *free {
                counter.next = counter.next.max(now + delay(counter.failures - free, delay_max));
            }
            if index == ADDRESS && ban_tries > 0 && counter.failures >= ban_tries {
                banned = !counter.is_banned(now);
                counter.banned_until = Some(now + ban_time);
            }
        }
        banned
    }

    fn places(&self, user: u64, address: IpAddr) -> Places {
        let address = address.to_canonical();
        let (near, wide) = networks(address);
        let DefenceLimits { tries_per_user, tries_per_address, .. } = self.limits;
        let user = Some(user);
        let mut places = vec![
            (Key { user, network: near }, tries_per_user),
            (Key { user, network: wide }, tries_per_user.saturating_mul(WIDE)),
            (Key { user: None, network: near }, tries_per_address),
            (Key { user: None, network: wide }, tries_per_address.saturating_mul(WIDE)),
        ];
        if self.limits.exempt.iter().any(|network| network.contains(&address)) {
            places.truncate(ADDRESS);
        }
        places
    }

    /// The counter for `key` as it stands now; a new one may make the oldest be forgotten.
    fn counter(&mut self, key: Key, now: Instant) -> &mut Counter {
        if !self.young.contains_key(&key) {
            if self.young.len() >= self.limits.entries / 2 {
                self.old = std::mem::take(&mut self.young);
                // Tries under way have to be found again; there are no more than connections.
                self.young = self.old.extract_if(|_, counter| counter.pending > 0).collect();
            }
            if let Some(counter) = self.old.remove(&key) {
                self.young.insert(key, counter);
            }
        }
        let counter = self.young.entry(key).or_insert_with(|| Counter::new(now));
        let idle = now.saturating_duration_since(counter.last_failure);
        if idle >= self.limits.forget_time && !counter.is_banned(now) {
            (counter.failures, counter.last_guess, counter.banned_until) = (0, None, None);
        }
        counter
    }
}

impl Counter {
    const fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            last_failure: now,
            pending: 0,
            next: now,
            last_guess: None,
            repeated: 0,
            known: false,
            banned_until: None,
            freed: None,
        }
    }

    fn is_banned(&self, now: Instant) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }
}

/// The wait after so many failures more than are free.
fn delay(over: usize, max: Duration) -> Duration {
    let over = u32::try_from(over).unwrap_or(u32::MAX);
    Duration::from_secs(1u64.checked_shl(over).unwrap_or(u64::MAX)).min(max)
}

/// What counts as one address, and the network around it.
pub(super) fn networks(address: IpAddr) -> (Option<IpNet>, Option<IpNet>) {
    let address = address.to_canonical();
    let (near, wide) = if address.is_ipv4() { (32, 24) } else { (64, 48) };
    let network = |prefix| IpNet::new(address, prefix).ok().map(|network| network.trunc());
    (network(near), network(wide))
}

/// Where the address stands among the places.
const ADDRESS: usize = 2;
/// How often a mail program with an old password may come with it before it has to wait.
const REPEATS_FREE: usize = 20;
/// How many times as many tries are free from a network as from an address.
const WIDE: usize = 4;

#[cfg(test)]
mod tests {
    use restante_host::{Clock as _, HostClock};

    use super::*;

    struct Scene {
        table: Table,
        now: Instant,
        guesses: u64,
    }

    impl Scene {
        fn new(limits: DefenceLimits) -> Self {
            Self { table: Table::new(limits), now: HostClock.monotonic(), guesses: 0 }
        }

        /// Tries a password; how long it had to wait, if it was checked at all.
        fn attempt(&mut self, user: u64, address: &str, outcome: Outcome) -> Option<Duration> {
            let (turn, tried) = match self.table.begin(user, address.parse().unwrap(), self.now) {
                Verdict::Now(tried) => (self.now, tried),
                Verdict::At(turn, tried) => (turn, tried),
                Verdict::Busy(_) | Verdict::Never => return None,
            };
            let waited = turn - self.now;
            self.now = turn;
            self.table.finish(&tried, outcome, turn);
            Some(waited)
        }

        /// Tries a password that nobody tried before.
        fn guess(&mut self, user: u64, address: &str) -> Option<u64> {
            self.guesses += 1;
            let waited = self.attempt(user, address, Outcome::Wrong(Some(self.guesses)));
            waited.map(|waited| waited.as_secs())
        }

        fn guesses(&mut self, users: std::ops::Range<u64>, address: &str) -> Vec<Option<u64>> {
            users.map(|user| self.guess(user, address)).collect()
        }

        fn good(&mut self, user: u64, address: &str) -> Option<u64> {
            self.attempt(user, address, Outcome::Good).map(|waited| waited.as_secs())
        }
    }

    fn unbanned() -> DefenceLimits {
        DefenceLimits { ban_tries: 0, ..DefenceLimits::default() }
    }

    fn secs<const N: usize>(secs: [u64; N]) -> Vec<Option<u64>> {
        secs.map(Some).to_vec()
    }

    #[test]
    fn r24_delays_grow_with_failures_and_end_with_a_good_login_or_time() {
        let mut scene = Scene::new(unbanned());
        let said: Vec<_> = (0..12).map(|_| scene.guess(1, "192.0.2.1")).collect();
        assert_eq!(said, secs([0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]));
        assert_eq!(scene.good(1, "192.0.2.1"), Some(30));
        assert_eq!(scene.guess(1, "192.0.2.1"), Some(0));
        for _ in 0..5 {
            scene.guess(1, "192.0.2.1");
        }
        scene.now += Duration::from_secs(900);
        assert_eq!(scene.guess(1, "192.0.2.1"), Some(0));
    }

    #[test]
    fn r24_neighbours_in_a_network_share_its_tries() {
        for (neighbour, elsewhere) in [("192.0.2.", "192.0.3.1"), ("2001:db8:1:", "2001:db8:2::")] {
            let mut scene = Scene::new(unbanned());
            let address = |host: u32| match neighbour.contains(':') {
                true => format!("{neighbour}{host:x}::1"),
                false => format!("{neighbour}{host}"),
            };
            // Four from each address: no address is used up, the network is after 20.
            for host in 0..5 {
                for _ in 0..4 {
                    assert_eq!(scene.guess(1, &address(host)), Some(0), "{host}");
                }
            }
            assert_eq!(scene.guess(1, &address(77)), Some(1), "{neighbour}");
            assert_eq!(scene.guess(1, &address(78)), Some(2), "{neighbour}");
            assert_eq!(scene.guess(1, elsewhere), Some(0));
            assert_eq!(scene.guess(2, &address(79)), Some(0), "another user");
        }
    }

    #[test]
    fn r24_one_host_of_ipv6_is_one_address_whatever_its_lower_half() {
        let mut scene = Scene::new(unbanned());
        let said: Vec<_> =
            (0..7).map(|host| scene.guess(1, &format!("2001:db8::{host:x}:1"))).collect();
        assert_eq!(said, secs([0, 0, 0, 0, 0, 1, 2]));
        let mut scene = Scene::new(unbanned());
        let said: Vec<_> = ["192.0.2.1", "::ffff:192.0.2.1"]
            .into_iter()
            .cycle()
            .take(6)
            .map(|address| scene.guess(1, address))
            .collect();
        assert_eq!(said, secs([0, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn r24_guessing_many_users_is_delayed_by_address_and_banned() {
        let mut scene = Scene::new(DefenceLimits::default());
        let said = scene.guesses(0..20, "192.0.2.1");
        let delays = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30];
        assert_eq!(said, secs(delays));
        let [bad, neighbour] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        assert!(scene.table.is_banned(bad, scene.now));
        assert!(!scene.table.is_banned(neighbour, scene.now));
        assert_eq!(scene.guess(99, "192.0.2.1"), None);
        scene.now += Duration::from_secs(600);
        assert!(!scene.table.is_banned(bad, scene.now));
    }

    #[test]
    fn r24_an_exempt_network_is_neither_banned_nor_counted_as_a_whole() {
        let mut scene = Scene::new(DefenceLimits::default());
        assert!(scene.guesses(0..1000, "127.0.0.1").iter().all(|waited| *waited == Some(0)));
        assert!(!scene.table.is_banned("127.0.0.1".parse().unwrap(), scene.now));
        let said: Vec<_> = (0..6).map(|_| scene.guess(5000, "::1")).collect();
        assert_eq!(said, secs([0, 0, 0, 0, 0, 1]), "one user's password is still guarded");
    }

    #[test]
    fn r24_strangers_nearby_do_not_delay_who_logged_in_from_there_before() {
        let mut scene = Scene::new(unbanned());
        assert_eq!(scene.good(1, "192.0.2.1"), Some(0));
        for host in 2..40 {
            scene.guess(1, &format!("192.0.2.{host}"));
        }
        assert!(scene.guess(1, "192.0.2.200") > Some(0));
        assert_eq!(scene.good(1, "192.0.2.1"), Some(0));
    }

    #[test]
    fn r24_a_mail_program_with_an_old_password_delays_itself_alone() {
        let mut scene = Scene::new(DefenceLimits::default());
        for _ in 0..=REPEATS_FREE {
            let waited = scene.attempt(1, "192.0.2.1", Outcome::Wrong(Some(7)));
            assert_eq!(waited, Some(Duration::ZERO), "it is the same guess");
        }
        for _ in 0..100 {
            scene.attempt(1, "192.0.2.1", Outcome::Wrong(Some(7)));
        }
        assert!(!scene.table.is_banned("192.0.2.1".parse().unwrap(), scene.now));
        assert_eq!(scene.good(2, "192.0.2.1"), Some(0));
        assert_eq!(scene.good(1, "192.0.2.2"), Some(0));
        assert_eq!(scene.good(1, "192.0.2.1"), Some(30));
    }

    #[test]
    fn r24_memory_is_bounded_and_the_oldest_are_forgotten() {
        let mut scene = Scene::new(DefenceLimits { entries: 1000, ..unbanned() });
        for _ in 0..9 {
            scene.guess(1, "192.0.2.1");
        }
        for number in 0..10_000u32 {
            let address = IpAddr::from((u128::from(number) << 80).to_be_bytes()).to_string();
            scene.guess(u64::from(number) + 2, &address);
            assert!(scene.table.young.len() + scene.table.old.len() <= 1000);
        }
        assert_eq!(scene.guess(1, "192.0.2.1"), Some(0));
    }
}

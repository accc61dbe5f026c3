//! Whose password is checked next, where checking costs a processor.
//!
//! In: tries that may be checked, each with its user and network. Out: turns, as many at once as
//! there are places; dropping one gives its place to the next. Who has logged in lately from the
//! same address goes first and has one place that nobody else gets. Among strangers it is the one
//! with the fewest tries of the same user or network (/24, /48) before it, so that a flood from
//! one place or at one user waits for itself and not in front of everybody else. Waiting costs a
//! timer, and is bounded in number and time; when there are too many, who would have been last
//! gives way.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The places and who waits for them.
#[derive(Debug)]
pub(super) struct Turns {
    /// Places for strangers; there is one more for who is known.
    strangers: usize,
    waiting_max: usize,
    wait: Duration,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<Rank, oneshot::Sender<()>>,
    running: BTreeSet<Rank>,
    /// Turns and waiting tries of each user and of each network.
    users: HashMap<u64, usize>,
    networks: HashMap<Option<IpNet>, usize>,
    arrived: u64,
}

/// Who goes before whom: the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    stranger: bool,
    before: usize,
    arrival: u64,
}

/// A place, or one in the queue; dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    rank: Rank,
    user: u64,
    network: Option<IpNet>,
}

/// Too many wait, or the turn did not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins wait to be checked")]
pub(crate) struct Crowded;

impl Turns {
    pub(super) fn new(strangers: usize, waiting_max: usize, wait: Duration) -> Self {
        Self { strangers: strangers.max(1), waiting_max, wait, queue: Mutex::default() }
    }

    /// Waits for a turn. Cancel-safe: who gives up leaves the queue.
    pub(super) async fn take(
        &self,
        user: u64,
        network: Option<IpNet>,
        known: bool,
    ) -> Result<Turn<'_>, Crowded> {
        let (turn, granted) = self.enter(user, network, known)?;
        if let Some(granted) = granted {
            match timeout(self.wait, granted).await {
                Ok(Ok(())) => {}
                // Too late, or somebody better took the place in the queue.
                Err(_) | Ok(Err(_)) => return Err(Crowded),
            }
        }
        Ok(turn)
    }

    /// A place, or one in the queue and what tells when it has become a place.
    fn enter(
        &self,
        user: u64,
        network: Option<IpNet>,
        known: bool,
    ) -> Result<(Turn<'_>, Option<oneshot::Receiver<()>>), Crowded> {
        let mut queue = self.queue();
        let of_user = queue.users.get(&user).copied().unwrap_or_default();
        let of_network = queue.networks.get(&network).copied().unwrap_or_default();
        queue.arrived = queue.arrived.wrapping_add(1);
        let rank =
            Rank { stranger: !known, before: of_user.max(of_network), arrival: queue.arrived };
        let mut granted = None;
        if self.has_place(&queue, rank) {
            queue.running.insert(rank);
        } else {
            if queue.waiting.len() >= self.waiting_max {
                let last = queue.waiting.last_key_value().map(|(last, _)| *last);
                let last = last.filter(|last| rank < *last).ok_or(Crowded)?;
                // Its sender goes, which tells it.
                queue.waiting.remove(&last);
            }
            let (grant, receiver) = oneshot::channel();
            queue.waiting.insert(rank, grant);
            granted = Some(receiver);
        }
        *queue.users.entry(user).or_default() += 1;
        *queue.networks.entry(network).or_default() += 1;
        drop(queue);
        Ok((Turn { turns: self, rank, user, network }, granted))
    }

    fn has_place(&self, queue: &Queue, rank: Rank) -> bool {
        let strangers = queue.running.iter().filter(|rank| rank.stranger).count();
        queue.running.len() <= self.strangers && (!rank.stranger || strangers < self.strangers)
    }

    fn leave(&self, turn: &Turn<'_>) {
        let mut queue = self.queue();
        queue.waiting.remove(&turn.rank);
        queue.running.remove(&turn.rank);
        forget_one(&mut queue.users, &turn.user);
        forget_one(&mut queue.networks, &turn.network);
        // Known ones stand before all strangers, so the first one is always the one to ask.
        while let Some((rank, _)) = queue.waiting.first_key_value()
            && self.has_place(&queue, *rank)
            && let Some((rank, grant)) = queue.waiting.pop_first()
        {
            queue.running.insert(rank);
            // Who has just given up gives the place back when it is dropped.
            let _ = grant.send(());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Counts are right even if a thread died holding the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.leave(self);
    }
}

fn forget_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(third: u64) -> Option<IpNet> {
        let third = u8::try_from(third).unwrap();
        Some(IpNet::new([10, 0, third, 0].into(), 24).unwrap())
    }

    fn turns(strangers: usize, waiting: usize) -> Turns {
        Turns::new(strangers, waiting, Duration::from_secs(10))
    }

    type Entered<'a> = (Turn<'a>, Option<oneshot::Receiver<()>>);

    /// Whether the turn has come.
    fn is_on(entered: &mut Entered<'_>) -> bool {
        entered.1.as_mut().is_none_or(|granted| granted.try_recv().is_ok())
    }

    /// Goal: whatever a hundred guessers do, from one network, at many users or at one user from
    /// many networks, somebody else who comes last is checked next.
    #[test]
    fn r23_a_flood_waits_for_itself() {
        for (users, networks) in [(100, 1), (1, 100)] {
            let turns = turns(1, 256);
            let flood = (0..100).map(|n| turns.enter(n % users, network(n % networks), false));
            let mut flood: Vec<_> = flood.collect::<Result<_, _>>().unwrap();
            assert!(is_on(&mut flood[0]) && !is_on(&mut flood[1]));
            let mut other = turns.enter(1000, network(200), false).unwrap();
            assert!(!is_on(&mut other));
            drop(flood.remove(0));
            assert!(is_on(&mut other), "{users} {networks}");
            assert!(flood.iter_mut().all(|guess| !is_on(guess)));
            // And the flood goes on behind it, one after the other.
            drop(other);
            for n in 0..flood.len() {
                assert_eq!(flood.iter_mut().filter(|guess| guess.1.is_some()).count(), 99 - n);
                assert!(is_on(&mut flood[0]), "{n}");
                drop(flood.remove(0));
            }
        }
    }

    /// Goal: who logged in from there lately waits for nothing though all places of strangers are
    /// taken by guessers from everywhere, and goes before all that wait.
    #[test]
    fn r23_who_is_known_has_a_place_that_guessers_cannot_take() {
        let turns = turns(2, 256);
        let flood = (0..100).map(|n| turns.enter(n, network(n), false));
        let mut flood: Vec<_> = flood.collect::<Result<_, _>>().unwrap();
        assert_eq!(flood.iter_mut().filter(|guess| guess.1.is_none()).count(), 2);
        let mut owner = turns.enter(7, network(7), true).unwrap();
        assert!(is_on(&mut owner));
        let mut second = turns.enter(8, network(8), true).unwrap();
        assert!(!is_on(&mut second));
        drop(flood.remove(0));
        assert!(is_on(&mut second));
        assert!(flood.iter_mut().filter(|guess| guess.1.is_some()).all(|guess| !is_on(guess)));
    }

    #[test]
    fn r23_when_too_many_wait_the_last_gives_way() {
        let turns = turns(1, 2);
        let _first = turns.enter(1, network(1), false).unwrap();
        let _second = turns.enter(2, network(1), false).unwrap();
        let mut third = turns.enter(3, network(1), false).unwrap();
        assert_eq!(turns.enter(4, network(1), false).unwrap_err(), Crowded);
        let _better = turns.enter(5, network(2), false).unwrap();
        assert!(
            third
                .1
                .as_mut()
                .unwrap()
                .try_recv()
                .is_err_and(|error| { error == oneshot::error::TryRecvError::Closed })
        );
        drop(third);
        let queue = turns.queue();
        assert_eq!((queue.waiting.len(), queue.running.len()), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn r23_who_waits_too_long_or_gives_up_leaves_nothing_behind() {
        let turns = turns(1, 10);
        let first = turns.take(1, network(1), false).await.unwrap();
        assert_eq!(turns.take(2, network(1), false).await.unwrap_err(), Crowded);
        let gives_up = timeout(Duration::from_secs(1), turns.take(2, network(1), false));
        assert!(gives_up.await.is_err());
        drop(first);
        let queue = turns.queue();
        assert!(queue.waiting.is_empty() && queue.running.is_empty());
        assert!(queue.users.is_empty() && queue.networks.is_empty());
    }
}

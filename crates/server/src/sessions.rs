//! Who is logged in and who may be: at most one session an owner, so many a user, when a silent
//! one has to make way, and how soon after the last login the next may follow.
//!
//! In: claims of new logins, and what each session is doing: resting (nothing to do until the
//! client speaks) or working. Out: a [`Seat`] for one of them; the others are told who has it.
//!
//! A session that has rested for `takeover_time` is most likely a client that is gone; a new login
//! of the same owner takes its seat and then waits until the maildrop is let go. Only a resting
//! session can lose its seat, and one that lost it cannot start to work again: so whatever it was
//! told meanwhile, it commits nothing. RFC 1939 section 6: it ends without UPDATE. Sessions of
//! other processes are not known here; the store's own lock keeps them apart. Where sessions share
//! maildrops, there is a seat for everybody, and only the delay and the number are left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use restante_maildrop::Owner;
use tokio::sync::Notify;

use crate::last_logins::LastLogins;

/// The sessions of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// Zero: nobody ever makes way.
    takeover_time: Duration,
    max_per_user: usize,
    seats: Mutex<Seats>,
    last_logins: Mutex<LastLogins>,
}

#[derive(Debug, Default)]
struct Seats {
    /// Of sessions that have their maildrop alone.
    by_owner: HashMap<Owner, Arc<Place>>,
    /// How many sessions a user has, those counted that have to make way but are still there.
    by_user: HashMap<Box<str>, usize>,
}

/// A new login gets no seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimError {
    /// Another session keeps it.
    InUse { holder: String },
    /// Its user has just logged in.
    TooSoon { wait: Duration },
    /// Its user has as many sessions as one may have.
    TooMany,
}

/// The right to work on an owner's maildrop. Dropping it gives it up, so the maildrop has to be
/// let go before.
#[derive(Debug)]
pub(crate) struct Seat {
    sessions: Sessions,
    owner: Owner,
    place: Arc<Place>,
}

/// What a session and the one that takes its seat know of each other.
#[derive(Debug)]
struct Place {
    holder: String,
    state: Mutex<State>,
    lost: Notify,
    /// The seat was dropped: the maildrop is free.
    free: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Working,
    Resting { since: Instant },
    Lost,
}

impl Sessions {
    pub(crate) fn new(takeover_time: Duration, max_per_user: usize) -> Self {
        let (seats, last_logins) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Table { takeover_time, max_per_user, seats, last_logins }))
    }

    /// A seat for a new login; `holder` describes it to those who come later. Returns when the
    /// session it is taken from, if any, has let go. Cancel-safe.
    ///
    /// # Errors
    /// [`ClaimError`] says who keeps the seat, or how long the user has to wait.
    pub(crate) async fn claim(
        &self,
        owner: &Owner,
        holder: &str,
        now: Instant,
    ) -> Result<Seat, ClaimError> {
        let (seat, before) = self.sit(owner, holder, now)?;
        if let Some(before) = before {
            // It was resting, so nothing keeps it from noticing at once.
            before.free.notified().await;
        }
        Ok(seat)
    }

    /// A place beside the others, where sessions share the maildrop: nobody makes way.
    ///
    /// # Errors
    /// [`ClaimError::TooSoon`] says how long the user has to wait, [`ClaimError::TooMany`] that
    /// there are enough.
    pub(crate) fn join(
        &self,
        owner: &Owner,
        holder: &str,
        now: Instant,
    ) -> Result<Seat, ClaimError> {
        if let Some(wait) = lock(&self.0.last_logins).wait(owner, now) {
            return Err(ClaimError::TooSoon { wait });
        }
        let place = Arc::new(Place::new(holder));
        let mut seats = lock(&self.0.seats);
        if seats.of_user(owner) >= self.0.max_per_user {
            return Err(ClaimError::TooMany);
        }
        Ok(self.seat(&mut seats, owner, place))
    }

    fn seat(&self, seats: &mut Seats, owner: &Owner, place: Arc<Place>) -> Seat {
        *seats.by_user.entry(owner.as_str().into()).or_default() += 1;
        Seat { sessions: self.clone(), owner: owner.clone(), place }
    }

    /// Decides, for all claims in one order, whose the seat is.
    fn sit(
        &self,
        owner: &Owner,
        holder: &str,
        now: Instant,
    ) -> Result<(Seat, Option<Arc<Place>>), ClaimError> {
        let mut seats = lock(&self.0.seats);
        // First, as nobody is to make way for a login that is refused.
        if let Some(wait) = lock(&self.0.last_logins).wait(owner, now) {
            return Err(ClaimError::TooSoon { wait });
        }
        let before = seats.by_owner.get(owner).cloned();
        // Who takes over a seat replaces a session.
        if seats.of_user(owner).saturating_sub(usize::from(before.is_some())) >= self.0.max_per_user
        {
            return Err(ClaimError::TooMany);
        }
        if let Some(before) = &before
            && !before.make_way(self.0.takeover_time, now)
        {
            return Err(ClaimError::InUse { holder: before.holder.clone() });
        }
        let place = Arc::new(Place::new(holder));
        seats.by_owner.insert(owner.clone(), Arc::clone(&place));
        Ok((self.seat(&mut seats, owner, place), before))
    }
}

impl Seats {
    fn of_user(&self, owner: &Owner) -> usize {
        self.by_user.get(owner.as_str()).copied().unwrap_or_default()
    }
}

impl Place {
    fn new(holder: &str) -> Self {
        Self {
            holder: holder.to_owned(),
            state: Mutex::new(State::Working),
            lost: Notify::new(),
            free: Notify::new(),
        }
    }

    /// Whether the session has lost its seat just now.
    fn make_way(&self, takeover_time: Duration, now: Instant) -> bool {
        let mut state = lock(&self.state);
        let State::Resting { since } = *state else { return false };
        let silent = now.saturating_duration_since(since);
        if takeover_time.is_zero() || silent < takeover_time {
            return false;
        }
        *state = State::Lost;
        self.lost.notify_one();
        true
    }
}

impl Seat {
    /// The maildrop is open: the login was a good one, and the user's delay counts from here.
    pub(crate) fn opened(&self, now: Instant, login_delay: Duration) {
        lock(&self.sessions.0.last_logins).note(&self.owner, now, login_delay);
    }

    /// From `now` on there is nothing to do until the client speaks.
    pub(crate) fn rest(&self, now: Instant) {
        let mut state = lock(&self.place.state);
        if *state != State::Lost {
            *state = State::Resting { since: now };
        }
    }

    /// There is something to do again. `false`: the seat is lost, and nothing may be done.
    #[must_use]
    pub(crate) fn work(&self) -> bool {
        let mut state = lock(&self.place.state);
        if *state != State::Lost {
            *state = State::Working;
        }
        *state == State::Working
    }

    /// Resolves when the seat is lost. Cancel-safe.
    pub(crate) async fn lost(&self) {
        self.place.lost.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.sessions.0.seats);
        // Once it is lost, the seat in the table is another's; a shared one was never there.
        let own = seats.by_owner.get(&self.owner);
        if own.is_some_and(|place| Arc::ptr_eq(place, &self.place)) {
            seats.by_owner.remove(&self.owner);
        }
        if let Some(sessions) = seats.by_user.get_mut(self.owner.as_str()) {
            *sessions -= 1;
            if *sessions == 0 {
                seats.by_user.remove(self.owner.as_str());
            }
        }
        drop(seats);
        self.place.free.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is right even if a thread died holding the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEOVER: Duration = Duration::from_secs(60);

    fn fred() -> Owner {
        Owner::new("fred").unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do: the test adds to it")]
    fn start() -> Instant {
        Instant::now()
    }

    fn in_use(holder: &str) -> ClaimError {
        ClaimError::InUse { holder: holder.to_owned() }
    }

    fn sessions() -> Sessions {
        Sessions::new(TAKEOVER, usize::MAX)
    }

    #[tokio::test]
    async fn s12_a_seat_is_taken_once_and_named_until_it_is_dropped() {
        let (sessions, now) = (sessions(), start());
        let first = sessions.claim(&fred(), "the first", now).await.unwrap();
        let refused = sessions.claim(&fred(), "the second", now + TAKEOVER * 100).await;
        assert_eq!(refused.unwrap_err(), in_use("the first"), "it is working");
        let other = Owner::new("mary").unwrap();
        sessions.claim(&other, "another's", now).await.unwrap();
        drop(first);
        sessions.claim(&fred(), "the second", now).await.unwrap();
        let seats = lock(&sessions.0.seats);
        assert!(seats.by_owner.is_empty() && seats.by_user.is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn r31_a_seat_is_lost_after_the_time_and_never_while_working() {
        let (sessions, now) = (sessions(), start());
        let first = sessions.claim(&fred(), "the first", now).await.unwrap();
        first.rest(now);
        let second = Duration::from_secs(1);
        assert!(sessions.sit(&fred(), "early", now + TAKEOVER - second).is_err());
        assert!(first.work(), "a refused claim changes nothing");
        assert!(sessions.sit(&fred(), "late", now + TAKEOVER).is_err(), "it is working");
        first.rest(now + second);
        assert!(sessions.sit(&fred(), "early", now + TAKEOVER).is_err(), "it has spoken since");
        let (heir, before) = sessions.sit(&fred(), "the heir", now + TAKEOVER + second).unwrap();
        assert!(!first.work() && !first.work(), "what is lost stays lost");
        first.rest(now + TAKEOVER * 2);
        assert!(!first.work(), "resting brings nothing back");
        first.lost().await;
        // Nobody gets in before the heir has let go, whatever the loser does.
        drop(first);
        before.unwrap().free.notified().await;
        let refused = sessions.claim(&fred(), "the third", now + TAKEOVER * 9).await;
        assert_eq!(refused.unwrap_err(), in_use("the heir"));
        drop(heir);
        sessions.claim(&fred(), "the third", now).await.unwrap();
    }

    #[tokio::test]
    async fn a_takeover_time_of_zero_is_never() {
        let (sessions, now) = (Sessions::new(Duration::ZERO, 1), start());
        let first = sessions.claim(&fred(), "the first", now).await.unwrap();
        first.rest(now);
        assert!(sessions.claim(&fred(), "late", now + TAKEOVER * 1_000_000).await.is_err());
    }

    #[tokio::test]
    async fn r42_a_user_has_so_many_sessions_and_no_more_wherever_they_are() {
        let (sessions, now) = (Sessions::new(TAKEOVER, 2), start());
        let lists = fred().in_folder("Lists").unwrap();
        let first = sessions.join(&fred(), "a", now).unwrap();
        let second = sessions.join(&lists, "b", now).unwrap();
        assert_eq!(sessions.join(&fred(), "c", now).unwrap_err(), ClaimError::TooMany);
        sessions.join(&Owner::new("mary").unwrap(), "another's", now).unwrap();
        drop(first);
        let third = sessions.join(&fred(), "c", now).unwrap();
        drop((second, third));
        // Who takes over makes it no more, nor may be kept out by the one that has to go.
        let main = sessions.claim(&fred(), "a", now).await.unwrap();
        let folder = sessions.claim(&lists, "b", now).await.unwrap();
        let third = fred().in_folder("Third").unwrap();
        assert_eq!(sessions.claim(&third, "c", now).await.unwrap_err(), ClaimError::TooMany);
        main.rest(now);
        let (heir, _) = sessions.sit(&fred(), "d", now + TAKEOVER).unwrap();
        drop((main, folder));
        sessions.claim(&third, "c", now).await.unwrap();
        drop(heir);
        assert!(lock(&sessions.0.seats).by_user.is_empty());
    }

    #[tokio::test]
    async fn s41_who_joins_too_soon_waits_like_everybody() {
        let (sessions, now) = (sessions(), start());
        let first = sessions.join(&fred(), "the first", now).unwrap();
        let second = sessions.join(&fred(), "the second", now).unwrap();
        first.opened(now, TAKEOVER * 3);
        first.rest(now);
        let refused = sessions.join(&fred(), "early", now + TAKEOVER * 2);
        assert_eq!(refused.unwrap_err(), ClaimError::TooSoon { wait: TAKEOVER });
        sessions.join(&fred(), "late", now + TAKEOVER * 3).unwrap();
        assert!(first.work() && second.work(), "nobody makes way");
    }

    #[tokio::test]
    async fn s41_who_comes_too_soon_takes_nothing_over() {
        let (sessions, now) = (sessions(), start());
        let first = sessions.claim(&fred(), "the first", now).await.unwrap();
        first.opened(now, TAKEOVER * 3);
        first.rest(now);
        let refused = sessions.claim(&fred(), "early", now + TAKEOVER * 2).await;
        assert_eq!(refused.unwrap_err(), ClaimError::TooSoon { wait: TAKEOVER });
        assert!(first.work());
        drop(first);
        // A login that could not open the maildrop was no good one.
        drop(sessions.claim(&fred(), "fails", now + TAKEOVER * 3).await.unwrap());
        sessions.claim(&fred(), "again", now + TAKEOVER * 3).await.unwrap();
    }

    /// Goal: of many that come at once, one gets the seat of a silent session. Method: as many
    /// threads as there are claims, let go together.
    #[test]
    fn r31_of_racing_claims_one_wins() {
        let now = start();
        for _ in 0..50 {
            let sessions = sessions();
            let (silent, _) = sessions.sit(&fred(), "the silent one", now).unwrap();
            silent.rest(now);
            let barrier = std::sync::Barrier::new(8);
            let seats: Vec<_> = std::thread::scope(|scope| {
                let claim = || {
                    barrier.wait();
                    sessions.sit(&fred(), "a claim", now + TAKEOVER).ok()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(seats.len(), 1);
            assert!(!silent.work() && seats[0].0.work());
        }
    }
}

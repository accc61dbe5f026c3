//! What all sessions share, and the answers to what a session asks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use restante_host::{Clock, Rng};
use restante_maildrop::{
    Access, Admitted, AuthError, Authenticator, Body, CommitError, Login, Maildrop, MessageNumber,
    Store,
};
use restante_proto::pop3::{Answer, Refusal};
use restante_proto::sasl::scram::ScramHash;
use restante_proto::{Marks, Secret};
use tracing::warn;

use crate::defence::Defence;
use crate::policy::Policy;
use crate::refusal;
use crate::sessions::{Seat, Sessions};
use crate::tls::Tls;

/// The office behind the counter. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Office {
    /// Where the maildrops are.
    pub store: Arc<dyn Store>,
    /// Who may open them.
    pub authenticator: Arc<dyn Authenticator>,
    /// What keeps passwords from being guessed.
    pub defence: Arc<Defence>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where nonces come from.
    pub rng: Arc<dyn Rng>,
    /// TLS, ready for use; without a certificate there is none.
    pub tls: Option<Arc<Tls>>,
    /// Whether names and passwords are taken without TLS.
    pub allow_cleartext: bool,
    /// What is asked of the users.
    pub policy: Policy,
    /// How much of everything.
    pub limits: Limits,
}

/// The limits of the counter; docs/limits.md has the reasons.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once, all together.
    pub connections: usize,
    /// Connections at once from one address, which is a /64 in IPv6, and four times as many from
    /// a /48; loopback is exempt, as proxies come from there.
    pub connections_per_address: usize,
    /// Sessions of one user, of the maildrop and its folders together.
    pub sessions_per_user: usize,
    /// From the first octet of a TLS handshake to its last.
    pub handshake_time: Duration,
    /// From the connection to the login.
    pub login_time: Duration,
    /// Silence of a client that is logged in.
    pub idle_time: Duration,
    /// How long a client may take to accept the next piece of a reply.
    pub write_time: Duration,
    /// What a client must take on the whole, octets a second; it may be [`Limits::write_time`]
    /// behind. 0 is any rate.
    pub octets_per_s_min: usize,
    /// How long a stop waits for sessions that are committing.
    pub stop_time: Duration,
    /// Silence after which a session makes way for the same owner's new login; zero is never.
    pub takeover_time: Duration,
}

/// Who stands at the counter, as far as it is known before the login.
#[derive(Debug)]
pub(crate) struct Visitor<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) listener: &'a str,
}

/// A login that did not get in.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The client is told why.
    Told(Refusal),
    /// The password was not looked at: the connection ends without a word.
    TurnedAway,
}

impl Visitor<'_> {
    /// Writes the line that contrib/fail2ban reads. What the client has chosen stands behind what
    /// it has not, in quotes and with its control characters escaped, so that no name of a user
    /// can pass for an address.
    fn log_failure(&self, login: &Login, reason: &str) {
        let user: String = login.user().chars().take(LOGGED_CHARACTERS_MAX).collect();
        warn!(
            address = %self.address.ip(),
            port = self.address.port(),
            reason,
            user,
            listener = self.listener,
            "login failed"
        );
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 100,
            sessions_per_user: 20,
            handshake_time: Duration::from_secs(15),
            login_time: Duration::from_secs(60),
            idle_time: Duration::from_secs(600),
            write_time: Duration::from_secs(60),
            octets_per_s_min: 100,
            stop_time: Duration::from_secs(30),
            takeover_time: Duration::from_secs(60),
        }
    }
}

/// What a session that is logged in holds.
#[derive(Debug)]
pub(crate) struct Held {
    // The order of the fields matters: whoever gets the seat next must find the maildrop free.
    pub(crate) maildrop: Box<dyn Maildrop>,
    pub(crate) seat: Seat,
    /// The rules for this user.
    pub(crate) policy: Policy,
}

impl Office {
    /// Checks a login, when its turn has come, finds it a seat and opens the maildrop; says whose
    /// it is, and how it was proven.
    pub(crate) async fn open(
        &self,
        login: &Login,
        sessions: &Sessions,
        visitor: &Visitor<'_>,
    ) -> Result<(Admitted, Held), Denied> {
        let admitted = self.check(login, visitor).await?;
        let owner = &admitted.account.owner;
        let holder = format!("a POP3 session from {}", visitor.address);
        let now = self.clock.monotonic();
        let (access, seat) = if self.policy.shared_sessions {
            (Access::Shared, sessions.join(owner, &holder, now))
        } else {
            (Access::Exclusive, sessions.claim(owner, &holder, now).await)
        };
        let seat = seat.map_err(|error| Denied::Told(refusal::of_claim(&error)))?;
        let opened = self.store.open(owner, access, &holder).await;
        let maildrop = opened.map_err(|error| Denied::Told(refusal::of_opening(owner, &error)))?;
        let policy = self.policy.of(&admitted.account.terms);
        seat.opened(self.clock.monotonic(), policy.login_delay);
        Ok((admitted, Held { maildrop, seat, policy }))
    }

    async fn check(&self, login: &Login, visitor: &Visitor<'_>) -> Result<Admitted, Denied> {
        let Ok(admitted) = self.defence.admit(login.user(), visitor.address.ip()).await else {
            visitor.log_failure(login, "too many tries");
            return Err(Denied::TurnedAway);
        };
        let checked = match admitted.turn().await {
            Ok(_turn) => self.authenticator.admit(login).await,
            Err(crowded) => Err(AuthError::Unavailable(io::Error::other(crowded))),
        };
        let (checked, reason) = match checked {
            // Whoever tries is not told that this password is right elsewhere.
            Ok(guest) if !guest.account.terms.allow(visitor.address.ip()) => {
                (Err(AuthError::Refused), "not from this address".to_owned())
            }
            Ok(guest) => (Ok(guest), String::new()),
            Err(error) => {
                let reason = error.to_string();
                (Err(error), reason)
            }
        };
        match checked {
            Ok(guest) => {
                admitted.good();
                Ok(guest)
            }
            Err(error) => {
                visitor.log_failure(login, &reason);
                if matches!(error, AuthError::Refused) && admitted.wrong(login) {
                    warn!(address = %visitor.address.ip(), "address banned");
                }
                let refusal = match (login, error) {
                    (Login::Token { .. }, AuthError::Refused) => refusal::of_token(),
                    (Login::Certificate { .. }, AuthError::Refused) => refusal::of_certificate(),
                    (_, error) => refusal::of_login(&error),
                };
                Err(Denied::Told(refusal))
            }
        }
    }

    /// Fetches what a user's SCRAM proof is checked with.
    pub(crate) async fn scram_keys(
        &self,
        user: &str,
        hash: ScramHash,
        visitor: &Visitor<'_>,
    ) -> Answer<Body> {
        let keys = match self.defence.turn(user, visitor.address.ip()).await {
            Ok(_turn) => self.authenticator.scram_keys(user, hash).await,
            Err(crowded) => Err(AuthError::Unavailable(io::Error::other(crowded))),
        };
        match keys {
            Ok(keys) => Answer::ScramKeys(keys),
            Err(error) => Answer::Refused(refusal::of_login(&error)),
        }
    }

    /// Random octets for one session.
    pub(crate) fn seed(&self) -> io::Result<Secret<[u8; 32]>> {
        let mut seed = [0; 32];
        self.rng.fill(&mut seed)?;
        Ok(Secret::new(seed))
    }

    /// Fetches a message's bytes.
    pub(crate) async fn body(maildrop: &mut dyn Maildrop, number: MessageNumber) -> Answer<Body> {
        match maildrop.body(number).await {
            Ok(body) => Answer::Body(body),
            Err(error) => Answer::Refused(refusal::of_reading(&error)),
        }
    }

    /// Removes the marked messages and those whose time is over, and tells how many. Lets
    /// maildrop and seat go before the answer: a client that hears it may log in again at once.
    pub(crate) async fn commit(&self, held: Held, mut marks: Marks) -> (Answer<Body>, usize) {
        let Held { mut maildrop, seat, policy } = held;
        if let Some(time) = policy.expired_before(self.clock.wall()) {
            match maildrop.arrived_before(time).await {
                Ok(expired) => {
                    for number in expired {
                        let octets = maildrop.snapshot().octets(number).unwrap_or_default();
                        marks.insert(number, octets);
                    }
                }
                // What the client marked is removed all the same; the rest has time.
                Err(error) => warn!(%error, "cannot tell which messages have expired"),
            }
        }
        let removed = marks.len();
        let committed = maildrop.commit(marks).await;
        drop(seat);
        match committed {
            Ok(()) => (Answer::Committed, removed),
            Err(error) => {
                let removed = match error {
                    CommitError::Partial { removed, .. } => removed,
                    _ => 0,
                };
                (Answer::Refused(refusal::of_commit(&error)), removed)
            }
        }
    }
}

/// Longer names are cut in the log.
const LOGGED_CHARACTERS_MAX: usize = 128;

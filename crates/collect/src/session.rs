//! One session with the server: list, plan, fetch, write down, delete, commit.
//!
//! In: a logged-in connection, the ledger, the destination. Out: whether there is more to do. On
//! an error the connection is dropped without `QUIT`, so that nothing is deleted; what was stored
//! is written down all the same. However slow the server is, a session comes to an end: its time is
//! bounded part by part, and what has come by then is committed.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use restante_client::{Capability, Connection, MessageNumber, Retrieved};
use restante_maildrop::Destination;
use tokio::time::Instant;

use crate::entry::{Entry, State};
use crate::incoming::{Incoming, Outcome, Received};
use crate::key::{AccountKey, Content, Hash, MessageId};
use crate::ledger::Ledger;
use crate::listing;
use crate::pace::{STEP_TIME, in_time};
use crate::plan::{Fetch, Judgement, KnownBy, Plan, Rules};
use crate::planned::{self, Planned};
use crate::policy::{self, Held};
use crate::renumbered;
use crate::{Account, CollectError, Event, Leave, Mode, Observer, Report};

/// What a session works with.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) account: &'a Account,
    pub(crate) destination: &'a dyn Destination,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) report: &'a mut Report,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// When to stop asking for messages and commit what has come.
    pub(crate) ends: Instant,
    pub(crate) mode: Mode,
    pub(crate) work: Work,
}

/// What has come together in this session.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Stored, written down, and due to be deleted.
    marks: Vec<(MessageNumber, MessageId)>,
    /// Read once for their hash and too large to be kept.
    reread: Vec<(Fetch, MessageId, Hash)>,
    /// How many messages of the same octets were read.
    copies: HashMap<(Bytes, Hash), u32>,
    /// Stored messages that their owner deleted here and wants deleted there.
    deleted_here: HashSet<MessageId>,
    octets_unflushed: u64,
    destination_failures: u32,
    /// There was no time for all of it.
    out_of_time: bool,
}

/// Whether another session is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Finished,
    More,
}

impl Session<'_> {
    /// Does the session.
    pub(crate) async fn run(mut self, connection: Connection) -> Result<Next, CollectError> {
        let outcome = self.run_to_the_end(connection).await;
        if outcome.is_err() {
            // What is stored is stored: not having to read it again is worth a try, and the
            // error that is reported is the first one.
            let _ = self.ledger.flush().await;
        }
        outcome
    }

    async fn run_to_the_end(&mut self, mut connection: Connection) -> Result<Next, CollectError> {
        self.warn_of_expiry(&connection);
        let asked = listing::ask(&mut connection, self.ledger.knows_unique_ids());
        let listing = in_time("UIDL", asked).await??;
        let ids: Vec<_> = listing.iter().map(|listed| listed.unique_id.clone()).collect();
        let adopting = renumbered::adopt(&mut connection, self.ledger, &listing);
        let adopted = in_time("TOP", adopting).await??;
        if adopted > 0 {
            self.warn(format!(
                "the server gave its messages new ids: {adopted} were known again by size and header"
            ));
        }
        let rules = self.rules(adopted > 0).await;
        let judgement = Judgement::new(&listing, self.ledger, &rules, self.now);
        if let Some(held) = judgement.held {
            self.warn(format!("nothing is deleted on the server for now: {held}"));
        }
        let mut plan = Plan::new(&judgement);
        self.announce(&plan);
        if self.mode != Mode::Collect {
            if self.mode == Mode::Explain {
                self.report.messages = planned::explain(&judgement, self.ledger, &rules, self.now);
            }
            // Nothing is marked, so this only says goodbye, and needs no answer.
            let _ = connection.commit().await;
            return Ok(Next::Finished);
        }
        self.ledger.settle(&ids, self.now)?;
        let cut = plan.limit();
        self.work.deleted_here = rules.deleted_here;
        self.work.marks.append(&mut plan.delete);
        let work = plan.fetch.len() + self.work.marks.len();
        let (unidentified, before) = (plan.unidentified, self.report.fetched);
        self.fetch(&mut connection, plan.fetch).await?;
        self.fetch_again(&mut connection).await?;
        self.commit(connection).await?;
        // Some servers show a part of the maildrop only, and the next part after a session that
        // fetched it. Where many messages were new there may be more.
        let many = self.report.fetched.saturating_sub(before) >= LOOK_AGAIN_MESSAGES;
        let more = cut || self.work.out_of_time || (many && unidentified == 0);
        Ok(if more && work > 0 { Next::More } else { Next::Finished })
    }

    /// What the account wants, and what its destination says to that.
    async fn rules(&mut self, renumbered: bool) -> Rules {
        let Account { leave, largest_octets, .. } = *self.account;
        let mut rules = Rules { leave, largest_octets, deleted_here: HashSet::new(), held: None };
        match leave {
            Leave::UntilDeletedHere => match self.deleted_here().await {
                Ok(deleted) => rules.deleted_here = deleted,
                Err(held) => rules.held = Some(held),
            },
            Leave::Newest(_) | Leave::UnderQuota { .. } if renumbered => {
                rules.held = Some(Held::Renumbered);
            }
            _ => {}
        }
        rules
    }

    async fn deleted_here(&mut self) -> Result<HashSet<MessageId>, Held> {
        let stored = self.ledger.entries().filter_map(|(id, entry)| {
            let is_stored = matches!(entry.state, State::Stored | State::DeleteSent);
            entry.receipt.clone().filter(|_| is_stored).map(|receipt| (id.clone(), receipt))
        });
        let (stored, receipts): (Vec<_>, Vec<_>) = stored.unzip();
        if stored.is_empty() {
            return Ok(HashSet::new());
        }
        let fates = self.destination.fates(receipts).await.unwrap_or_else(|error| {
            tracing::debug!(account = self.account.name, ?error, "the fates are not known");
            None
        });
        policy::deleted_here(stored, fates.as_deref())
    }

    /// The server may delete by itself what the account wants left there (RFC 2449 section 6.7).
    fn warn_of_expiry(&mut self, connection: &Connection) {
        let expires = connection.capabilities().iter().find_map(|capability| match capability {
            Capability::Expire { days, .. } => *days,
            _ => None,
        });
        let stays = match self.account.leave {
            Leave::Never => return,
            Leave::Days(days) => u64::from(days),
            _ => u64::MAX,
        };
        if let Some(days) = expires.filter(|days| *days <= stays) {
            self.warn(format!("the server deletes mail by itself after {days} days"));
        }
    }

    fn announce(&mut self, plan: &Plan) {
        let count = |number: usize| number as u64;
        let deleted_at_once = plan.fetch.iter().filter(|fetch| fetch.due).count();
        let planned = Planned {
            fetch: count(plan.fetch.len()),
            octets: plan.octets(),
            delete: count(plan.delete.len() + deleted_at_once),
            left: count(plan.left + plan.too_large.len() + plan.fetch.len() - deleted_at_once),
        };
        self.report.left = count(plan.left);
        self.report.failed = count(plan.waiting);
        self.report.too_large = count(plan.too_large.len());
        for listed in &plan.too_large {
            let name = match &*listed.unique_id {
                b"" => listed.number.to_string(),
                id => id.escape_ascii().to_string(),
            };
            let octets = listed.octets.unwrap_or_default();
            self.warn(format!("message {name} of {octets} octets is larger than `largest`"));
        }
        if self.mode != Mode::Collect {
            self.report.planned = Some(planned);
        }
        if plan.unidentified > 0 {
            self.warn(format!(
                "{} messages have no unique-id of their own: they are read whole in each session",
                plan.unidentified
            ));
        }
        self.event(&Event::Planned(planned));
    }

    async fn fetch(
        &mut self,
        connection: &mut Connection,
        fetches: Vec<Fetch>,
    ) -> Result<(), CollectError> {
        let mut retrieval = connection.retrieve(fetches.iter().map(|f| f.number)).await?;
        let mut coming = fetches.into_iter().peekable();
        let mut current: Option<(Fetch, Incoming)> = None;
        let (began, mut answered) = (Instant::now(), 0_u32);
        loop {
            // What was asked for still comes, at the pace so far.
            let outstanding = u32::try_from(retrieval.outstanding()).unwrap_or(u32::MAX);
            let pace = began.elapsed().checked_div(answered).unwrap_or_default();
            if Instant::now() + pace.saturating_mul(outstanding) >= self.ends {
                self.work.out_of_time |= retrieval.ask_no_more() > 0;
            }
            let retrieved = match retrieval.next().await {
                Ok(Some(retrieved)) => retrieved,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let broken = current.map(|(fetch, _)| fetch).or_else(|| coming.next());
                    self.note_broken_off(broken)?;
                    return Err(error.into());
                }
            };
            match retrieved {
                Retrieved::Chunk(chunk) => {
                    let Some((_, incoming)) = &mut current else { continue };
                    self.event(&Event::Received { octets: chunk.len() as u64 });
                    if let Err(error) = incoming.write(chunk).await {
                        self.note_broken_off(current.map(|(fetch, _)| fetch))?;
                        return Err(error);
                    }
                    current = self.still_a_message(current)?;
                }
                Retrieved::End(_) => {
                    answered = answered.saturating_add(1);
                    if let Some((fetch, incoming)) = current.take() {
                        let received = incoming.finish(None).await?;
                        self.take(fetch, received).await?;
                    }
                }
                Retrieved::Refused(_, refusal) => {
                    if let Some(fetch) = coming.next() {
                        self.set_aside(&fetch, format!("the server refused it: {refusal}"))?;
                    }
                }
                // A message begins.
                _ => {
                    let Some(fetch) = coming.next() else { continue };
                    let incoming = match fetch.known_by {
                        KnownBy::UniqueId => {
                            self.begin(&MessageId::unique(&fetch.unique_id)).await?
                        }
                        KnownBy::Content => Incoming::unknown(),
                    };
                    current = Some((fetch, incoming));
                }
            }
        }
    }

    /// What is arriving, unless it has become so long that it may never end.
    fn still_a_message(
        &mut self,
        current: Option<(Fetch, Incoming)>,
    ) -> Result<Option<(Fetch, Incoming)>, CollectError> {
        match current {
            Some((fetch, incoming))
                if fetch.octets_max().is_some_and(|max| incoming.octets() > max) =>
            {
                let listed = fetch.octets.unwrap_or_default();
                self.set_aside(&fetch, format!("it does not end: {listed} octets were listed"))?;
                Err(CollectError::Endless { number: fetch.number.to_u32(), listed })
            }
            current => Ok(current),
        }
    }

    /// Reads once more what was too large to be kept until its hash was known.
    async fn fetch_again(&mut self, connection: &mut Connection) -> Result<(), CollectError> {
        for (fetch, id, sha256) in std::mem::take(&mut self.work.reread) {
            let mut retrieval = connection.retrieve([fetch.number]).await?;
            let mut incoming = self.begin(&id).await?;
            let refusal = loop {
                match retrieval.next().await? {
                    Some(Retrieved::Chunk(chunk)) => {
                        self.event(&Event::Received { octets: chunk.len() as u64 });
                        incoming.write(chunk).await?;
                    }
                    Some(Retrieved::Refused(_, refusal)) => break Some(refusal),
                    Some(_) => {}
                    None => break None,
                }
            };
            if let Some(refusal) = refusal {
                self.set_aside(&fetch, format!("the server refused it: {refusal}"))?;
                continue;
            }
            let received = incoming.finish(Some(sha256)).await?;
            self.store(&fetch, id, received).await?;
        }
        Ok(())
    }

    async fn begin(&mut self, id: &MessageId) -> Result<Incoming, CollectError> {
        let key = AccountKey::new(self.account)
            .message_key(id)
            .ok_or_else(|| CollectError::Internal("a message has no key".into()))?;
        Incoming::keyed(self.destination, &key).await
    }

    /// A message has arrived whole.
    async fn take(&mut self, fetch: Fetch, received: Received) -> Result<(), CollectError> {
        if fetch.known_by == KnownBy::UniqueId {
            let id = MessageId::unique(&fetch.unique_id);
            return self.store(&fetch, id, received).await;
        }
        let sha256 = received.sha256;
        let occurrence = match self.work.copies.entry((fetch.unique_id.clone(), sha256)) {
            MapEntry::Occupied(mut copies) => {
                *copies.get_mut() += 1;
                *copies.get()
            }
            MapEntry::Vacant(first) => *first.insert(0),
        };
        let known = self
            .ledger
            .with_content(&fetch.unique_id, sha256)
            .nth(occurrence as usize)
            .map(|(id, _)| id.clone());
        if let Some(id) = known {
            let now = self.now;
            self.ledger.change(&id, |entry| {
                entry.octets = fetch.octets;
                entry.adopted = false;
                if entry.state == State::Gone {
                    entry.enter(State::Stored, now);
                }
            })?;
            self.mark_or_leave(&fetch, id);
            return Ok(());
        }
        let content = Some(Content { sha256, occurrence });
        let id = MessageId { unique_id: fetch.unique_id[..].into(), content };
        match received.outcome {
            Outcome::Memory(message) => {
                let mut incoming = self.begin(&id).await?;
                incoming.write(message.into()).await?;
                let received = incoming.finish(None).await?;
                self.store(&fetch, id, received).await
            }
            _ => {
                self.work.reread.push((fetch, id, sha256));
                Ok(())
            }
        }
    }

    /// The destination has answered for a message.
    async fn store(
        &mut self,
        fetch: &Fetch,
        id: MessageId,
        received: Received,
    ) -> Result<(), CollectError> {
        match received.outcome {
            Outcome::Stored { receipt, new } => {
                self.work.destination_failures = 0;
                if new {
                    self.report.fetched += 1;
                    self.report.octets += received.octets;
                    self.event(&Event::Stored { octets: received.octets });
                }
                let entry = Entry {
                    sha256: Some(received.sha256),
                    header: Some(received.header),
                    receipt: Some(receipt.name),
                    ..Entry::new(State::Stored, fetch.octets, self.now)
                };
                self.write_down(fetch, id, entry, received.octets).await
            }
            Outcome::Failed(error) => {
                let error = CollectError::Destination(error);
                self.set_aside(fetch, error.to_line())?;
                self.work.destination_failures += 1;
                // One after another is not the messages' fault.
                if self.work.destination_failures >= DESTINATION_FAILURES_MAX {
                    return Err(error);
                }
                Ok(())
            }
            Outcome::Changed | Outcome::Memory(_) | Outcome::HashOnly => {
                self.set_aside(fetch, "it changed while it was read".into())
            }
        }
    }

    async fn write_down(
        &mut self,
        fetch: &Fetch,
        id: MessageId,
        entry: Entry,
        octets: u64,
    ) -> Result<(), CollectError> {
        let first_seen = self.ledger.entry(&id).map_or(self.now, |entry| entry.first_seen);
        self.ledger.stage(id.clone(), Entry { first_seen, ..entry })?;
        self.work.octets_unflushed = self.work.octets_unflushed.saturating_add(octets);
        // A sync for each message would cost as much as storing it; losing these records costs
        // reading so many messages again.
        if self.ledger.staged() >= UNFLUSHED_MESSAGES_MAX
            || self.work.octets_unflushed >= UNFLUSHED_OCTETS_MAX
        {
            self.ledger.flush().await?;
            self.work.octets_unflushed = 0;
        }
        self.mark_or_leave(fetch, id);
        Ok(())
    }

    fn mark_or_leave(&mut self, fetch: &Fetch, id: MessageId) {
        let first_seen = self.ledger.entry(&id).map_or(self.now, |entry| entry.first_seen);
        let is_due = fetch.due
            || self.account.leave.is_over(first_seen, self.now)
            || self.work.deleted_here.contains(&id);
        if is_due {
            self.work.marks.push((fetch.number, id));
        } else {
            self.report.left += 1;
        }
    }

    /// Deletes what is stored and written down, and nothing else.
    async fn commit(&mut self, mut connection: Connection) -> Result<(), CollectError> {
        self.ledger.flush().await?;
        let marks = std::mem::take(&mut self.work.marks);
        if marks.is_empty() {
            // Without marks it does not matter whether the server has heard it.
            let _ = connection.commit().await;
            return Ok(());
        }
        let numbers: Vec<_> = marks.iter().map(|(number, _)| *number).collect();
        let began = Instant::now();
        let mut answers = Vec::with_capacity(numbers.len());
        let mut unmarked = &numbers[..];
        while !unmarked.is_empty() {
            // What is not marked now, the next session marks.
            let elapsed = began.elapsed();
            if elapsed >= STEP_TIME {
                self.work.out_of_time = true;
                break;
            }
            // A quick server is asked more at once: the end of each part costs a round trip.
            let quick = !answers.is_empty() && elapsed < QUICK;
            let part = if quick { QUICK_MARKS_AT_ONCE } else { MARKS_AT_ONCE };
            let (now, later) = unmarked.split_at(part.min(unmarked.len()));
            answers.extend(connection.dele_many(now).await?);
            unmarked = later;
        }
        let mut sent = Vec::with_capacity(marks.len());
        for ((number, id), (_, answer)) in marks.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    let now = self.now;
                    self.ledger.change(&id, |entry| entry.enter(State::DeleteSent, now))?;
                    sent.push(id);
                }
                Err(refusal) => {
                    self.report.left += 1;
                    self.warn(format!("the server did not delete message {number}: {refusal}"));
                }
            }
        }
        self.ledger.flush().await?;
        let messages = sent.len();
        connection
            .commit()
            .await
            .map_err(|source| CollectError::Uncommitted { messages, source })?;
        for id in sent {
            let now = self.now;
            self.ledger.change(&id, |entry| entry.enter(State::Gone, now))?;
        }
        self.ledger.flush().await?;
        self.report.deleted += messages as u64;
        self.event(&Event::Deleted { messages: messages as u64 });
        Ok(())
    }

    /// A message that cannot be collected now: the others go on.
    fn set_aside(&mut self, fetch: &Fetch, reason: String) -> Result<(), CollectError> {
        self.report.failed += 1;
        self.note_attempt(fetch, 1, &reason)?;
        self.remember(format!("message {} is set aside: {reason}", fetch.number));
        self.event(&Event::SetAside { number: fetch.number.to_u32(), reason });
        Ok(())
    }

    /// The connection broke in a message. That may be the network's fault, so only a message at
    /// which it breaks again and again has to wait.
    fn note_broken_off(&mut self, fetch: Option<Fetch>) -> Result<(), CollectError> {
        match fetch {
            Some(fetch) => self.note_attempt(&fetch, BROKEN_OFF_MAX, BROKEN_OFF_REASON),
            None => Ok(()),
        }
    }

    fn note_attempt(&mut self, fetch: &Fetch, free: u32, reason: &str) -> Result<(), CollectError> {
        let id = MessageId::unique(&fetch.unique_id);
        let known = self.ledger.entry(&id);
        // A message without an id cannot be noted, and one that is stored has not failed.
        if fetch.unique_id.is_empty() || known.is_some_and(|entry| entry.state != State::Failed) {
            return Ok(());
        }
        let mut entry =
            known.cloned().unwrap_or_else(|| Entry::new(State::Failed, fetch.octets, self.now));
        entry.attempts = entry.attempts.saturating_add(1);
        entry.reason = Some(reason.chars().take(REASON_CHARS_MAX).collect());
        let waits = entry.attempts.saturating_sub(free).min(BACK_OFF_DOUBLINGS_MAX);
        let wait = if entry.attempts < free { 0 } else { BACK_OFF_S << waits };
        entry.next_try = self.now.saturating_add(wait);
        Ok(self.ledger.stage(id, entry)?)
    }

    fn warn(&mut self, warning: String) {
        self.event(&Event::Warning(warning.clone()));
        self.remember(warning);
    }

    /// Puts it in the report, as far as a report is read.
    fn remember(&mut self, warning: String) {
        if self.report.warnings.len() < WARNINGS_MAX && !self.report.warnings.contains(&warning) {
            self.report.warnings.push(warning);
        }
    }

    fn event(&self, event: &Event) {
        self.observer.event(&self.account.name, event);
    }
}

/// The smallest number of new messages after which a server is asked whether it has more.
const LOOK_AGAIN_MESSAGES: u64 = 50;
const MARKS_AT_ONCE: usize = 16;
const QUICK_MARKS_AT_ONCE: usize = 512;
/// A server that has answered the first marks by then.
const QUICK: Duration = Duration::from_secs(10);
const UNFLUSHED_MESSAGES_MAX: usize = 16;
const UNFLUSHED_OCTETS_MAX: u64 = 8 * 1024 * 1024;
const DESTINATION_FAILURES_MAX: u32 = 3;
const BROKEN_OFF_MAX: u32 = 3;
const BROKEN_OFF_REASON: &str = "it was broken off while it was fetched";
/// A line's worth: servers say what they like, and it is kept for each message.
const REASON_CHARS_MAX: usize = 200;
/// Five minutes, doubled with each failure up to some 21 hours.
const BACK_OFF_S: u64 = 5 * 60;
const BACK_OFF_DOUBLINGS_MAX: u32 = 8;
const WARNINGS_MAX: usize = 20;

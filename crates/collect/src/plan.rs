//! What a session is to do: a pure function of listing, ledger, policy and time.
//!
//! Every message is judged by what is known of it ([`Standing`]) and then by the account's policy;
//! [`crate::planned`] puts the same judgement into words.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use restante_client::MessageNumber;

use crate::Leave;
use crate::entry::{Imported, State};
use crate::key::MessageId;
use crate::ledger::Ledger;
use crate::listing::Listed;
use crate::policy::{self, Held};

/// What the account wants, as far as it matters to single messages.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) leave: Leave,
    pub(crate) largest_octets: Option<u64>,
    /// Stored messages that their owner deleted here, where `leave` asks for that.
    pub(crate) deleted_here: HashSet<MessageId>,
    /// Why nothing is decided by place or fate.
    pub(crate) held: Option<Held>,
}

/// The work of a session.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// To be read from the server; those that failed before come last.
    pub(crate) fetch: Vec<Fetch>,
    /// Stored already and due to be deleted.
    pub(crate) delete: Vec<(MessageNumber, MessageId)>,
    /// Stored already and to stay for now.
    pub(crate) left: usize,
    /// Set aside after failures until later.
    pub(crate) waiting: usize,
    /// Larger than the account takes.
    pub(crate) too_large: Vec<Listed>,
    /// How many of `fetch` have no unique-id of their own.
    pub(crate) unidentified: usize,
}

/// A message to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) number: MessageNumber,
    pub(crate) unique_id: Bytes,
    pub(crate) octets: Option<u64>,
    pub(crate) known_by: KnownBy,
    /// It is deleted as soon as it is stored and written down.
    pub(crate) due: bool,
}

/// How a message is told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KnownBy {
    /// By a unique-id that is one.
    UniqueId,
    /// By its octets: the id is missing or repeated, or stands for something else than it did.
    /// It is read even if it may be stored already, and only what was read is deleted.
    Content,
}

impl Fetch {
    /// More octets than that are no message of the size that was listed. Sizes are hints: servers
    /// count line ends otherwise, or what they have stored compressed.
    pub(crate) fn octets_max(&self) -> Option<u64> {
        let times = |octets: u64| octets.saturating_mul(LISTED_TIMES);
        self.octets.map(|octets| times(octets).saturating_add(UNLISTED_OCTETS))
    }
}

/// What is known of a listed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it is new.
    New,
    /// Its id is missing or not its own.
    Unidentified,
    /// It was deleted, and is there again: the server went back in time, or gave the id to another
    /// message. Only its octets can tell.
    CameBack,
    /// It failed, and is tried again now, known in this way.
    Again(KnownBy),
    /// It failed, and has to wait.
    Waiting,
    /// It is more than the account takes.
    TooLarge,
    /// Another collector fetched it and was to leave it there: it is not ours to delete.
    Foreign,
    /// It is stored, and certainly this one.
    Stored,
    /// It is stored, but does not have the size it had, or is only known by its header: it is not
    /// deleted unseen.
    Doubtful,
}

/// What a session does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fetch { known_by: KnownBy, due: bool },
    Delete,
    Leave,
    Wait,
    Skip,
}

/// A listed message and what was found.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) listed: &'a Listed,
    pub(crate) standing: Standing,
    pub(crate) verdict: Verdict,
}

/// All judgements, in the order of the listing, and why some are not what the policy wants.
#[derive(Debug)]
pub(crate) struct Judgement<'a> {
    pub(crate) messages: Vec<Judged<'a>>,
    pub(crate) held: Option<Held>,
}

impl<'a> Judgement<'a> {
    pub(crate) fn new(listing: &'a [Listed], ledger: &Ledger, rules: &Rules, now: u64) -> Self {
        let mut copies = HashMap::new();
        for listed in listing {
            *copies.entry(&listed.unique_id).or_insert(0_u32) += 1;
        }
        let is_repeated =
            |listed: &Listed| copies.get(&listed.unique_id).is_none_or(|&copies| copies > 1);
        let standings: Vec<_> = listing
            .iter()
            .map(|listed| Standing::of(listed, is_repeated(listed), ledger, rules, now))
            .collect();
        let (surplus, held) = match rules.held {
            Some(held) => (HashSet::new(), Some(held)),
            None => {
                let deletable = standings.iter().map(|standing| standing.is_deletable());
                let candidates: Vec<_> = listing.iter().zip(deletable).collect();
                match policy::surplus(&candidates, ledger, rules.leave, now) {
                    Ok(surplus) => (surplus, None),
                    Err(held) => (HashSet::new(), Some(held)),
                }
            }
        };
        let judged = listing.iter().zip(standings).map(|(listed, standing)| {
            // At once, whatever message it turns out to be.
            let at_once = rules.leave.is_over(now, now) || surplus.contains(&listed.number);
            let id = MessageId::unique(&listed.unique_id);
            let entry = ledger.entry(&id).filter(|_| standing.is_known_by_id());
            let due = at_once
                || entry.is_some_and(|entry| rules.leave.is_over(entry.first_seen, now))
                || (standing.is_stored() && rules.deleted_here.contains(&id));
            let verdict = match standing.verdict(due) {
                // What is read for its octets may be another message than its id says.
                Verdict::Fetch { known_by: KnownBy::Content, .. } => {
                    Verdict::Fetch { known_by: KnownBy::Content, due: at_once }
                }
                verdict => verdict,
            };
            Judged { listed, standing, verdict }
        });
        Self { messages: judged.collect(), held }
    }
}

impl Standing {
    fn of(listed: &Listed, repeated: bool, ledger: &Ledger, rules: &Rules, now: u64) -> Self {
        let ambiguous = listed.unique_id.is_empty()
            || repeated
            || ledger.with_unique_id(&listed.unique_id).any(|(id, _)| id.content.is_some());
        let standing = match ledger.entry(&MessageId::unique(&listed.unique_id)) {
            Some(entry) if entry.state == State::Failed => {
                if entry.next_try > now {
                    return Self::Waiting;
                }
                Self::Again(if ambiguous { KnownBy::Content } else { KnownBy::UniqueId })
            }
            _ if ambiguous => Self::Unidentified,
            None => Self::New,
            Some(entry) if entry.state == State::Gone => Self::CameBack,
            Some(entry) if entry.imported == Some(Imported::Left) => Self::Foreign,
            Some(entry) if entry.adopted || differ(entry.octets, listed.octets) => Self::Doubtful,
            Some(_) => Self::Stored,
        };
        let is_large = rules
            .largest_octets
            .zip(listed.octets)
            .is_some_and(|(largest, octets)| octets > largest);
        if is_large && !matches!(standing, Self::Stored | Self::Foreign) {
            Self::TooLarge
        } else {
            standing
        }
    }

    fn is_stored(self) -> bool {
        matches!(self, Self::Stored | Self::Doubtful)
    }

    fn is_known_by_id(self) -> bool {
        self.is_stored() || self == Self::Again(KnownBy::UniqueId)
    }

    /// Whether it is stored at the end of the session, if all goes well.
    fn is_deletable(self) -> bool {
        !matches!(self, Self::Waiting | Self::TooLarge | Self::Foreign)
    }

    fn verdict(self, due: bool) -> Verdict {
        match self {
            Self::New | Self::Again(KnownBy::UniqueId) => {
                Verdict::Fetch { known_by: KnownBy::UniqueId, due }
            }
            Self::Unidentified | Self::CameBack | Self::Again(KnownBy::Content) => {
                Verdict::Fetch { known_by: KnownBy::Content, due }
            }
            Self::Waiting => Verdict::Wait,
            Self::TooLarge => Verdict::Skip,
            Self::Foreign => Verdict::Leave,
            Self::Stored | Self::Doubtful if !due => Verdict::Leave,
            Self::Stored => Verdict::Delete,
            Self::Doubtful => Verdict::Fetch { known_by: KnownBy::Content, due },
        }
    }
}

impl Plan {
    pub(crate) fn new(judgement: &Judgement<'_>) -> Self {
        let mut plan = Self::default();
        let mut again = Vec::new();
        for &Judged { listed, standing, verdict } in &judgement.messages {
            match verdict {
                Verdict::Fetch { known_by, due } => {
                    let is_again = matches!(standing, Standing::Again(_));
                    let list = if is_again { &mut again } else { &mut plan.fetch };
                    list.push(Fetch {
                        number: listed.number,
                        unique_id: listed.unique_id.clone(),
                        octets: listed.octets,
                        known_by,
                        due,
                    });
                }
                Verdict::Delete => {
                    plan.delete.push((listed.number, MessageId::unique(&listed.unique_id)));
                }
                Verdict::Leave => plan.left += 1,
                Verdict::Wait => plan.waiting += 1,
                Verdict::Skip => plan.too_large.push(listed.clone()),
            }
            if matches!(standing, Standing::Unidentified | Standing::Again(KnownBy::Content)) {
                plan.unidentified += 1;
            }
        }
        plan.fetch.extend(again);
        plan
    }

    /// Octets to fetch, as far as the server gave sizes.
    pub(crate) fn octets(&self) -> u64 {
        // Servers say what they like: a sum must not wrap.
        self.fetch.iter().filter_map(|fetch| fetch.octets).fold(0, u64::saturating_add)
    }

    /// Cuts the plan to what one session should do, so that a lost `QUIT` undoes little. Returns
    /// whether something is left for another session.
    ///
    /// Each session begins with a listing of everything, so a huge maildrop is taken in larger
    /// bites: the cost of listings must not grow with its square.
    pub(crate) fn limit(&mut self) -> bool {
        let deletes = self.delete.len();
        let messages_max = BATCH_MESSAGES.max((deletes + self.fetch.len()) / SESSIONS_MAX);
        let octets_max = BATCH_OCTETS.max(self.octets() / SESSIONS_MAX as u64);
        self.delete.truncate(messages_max);
        let mut cut = self.delete.len() < deletes;
        // Only what is deleted at once can be undone.
        if self.fetch.iter().any(|fetch| fetch.due) {
            let (mut messages, mut octets) = (self.delete.len(), 0_u64);
            let fits = self.fetch.iter().take_while(|fetch| {
                let first = octets == 0 && messages == 0;
                messages += 1;
                octets = octets.saturating_add(fetch.octets.unwrap_or(0));
                first || (messages <= messages_max && octets <= octets_max)
            });
            let fits = fits.count();
            cut |= fits < self.fetch.len();
            self.fetch.truncate(fits);
        }
        cut
    }
}

fn differ(known: Option<u64>, listed: Option<u64>) -> bool {
    known.zip(listed).is_some_and(|(known, listed)| known != listed)
}

const BATCH_MESSAGES: usize = 1000;
const LISTED_TIMES: u64 = 16;
const UNLISTED_OCTETS: u64 = 8 * 1024 * 1024;
const BATCH_OCTETS: u64 = 50 * 1024 * 1024;
const SESSIONS_MAX: usize = 100;

#[cfg(test)]
mod tests;

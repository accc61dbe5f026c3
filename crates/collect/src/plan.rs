//! What a session is to do: a pure function of listing, ledger, policy and time.

use std::collections::HashMap;

use bytes::Bytes;
use restante_client::MessageNumber;

use crate::Leave;
use crate::entry::{Imported, State};
use crate::key::MessageId;
use crate::ledger::Ledger;
use crate::listing::Listed;

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

impl Plan {
    pub(crate) fn new(listing: &[Listed], ledger: &Ledger, leave: Leave, now: u64) -> Self {
        let mut copies = HashMap::new();
        for listed in listing {
            *copies.entry(&listed.unique_id).or_insert(0_u32) += 1;
        }
        let mut plan = Self::default();
        let mut again = Vec::new();
        for listed in listing {
            let repeated = copies.get(&listed.unique_id).is_none_or(|&copies| copies > 1);
            let id = MessageId::unique(&listed.unique_id);
            let fetch = |known_by| Fetch {
                number: listed.number,
                unique_id: listed.unique_id.clone(),
                octets: listed.octets,
                known_by,
            };
            let entry = ledger.entry(&id);
            let ambiguous = listed.unique_id.is_empty()
                || repeated
                || ledger.with_unique_id(&listed.unique_id).any(|(id, _)| id.content.is_some());
            let known_by = if ambiguous { KnownBy::Content } else { KnownBy::UniqueId };
            match entry {
                Some(entry) if entry.state == State::Failed => {
                    if entry.next_try > now {
                        plan.waiting += 1;
                        continue;
                    }
                    again.push(fetch(known_by));
                }
                _ if ambiguous => plan.fetch.push(fetch(KnownBy::Content)),
                None => plan.fetch.push(fetch(KnownBy::UniqueId)),
                // It was deleted, and is there again: the server went back in time, or gave the
                // id to another message. Only its octets can tell.
                Some(entry) if entry.state == State::Gone => {
                    plan.fetch.push(fetch(KnownBy::Content));
                }
                // What another collector fetched and was to leave there is not ours to delete.
                Some(entry) if entry.imported == Some(Imported::Left) => plan.left += 1,
                Some(entry) if !leave.is_over(entry.first_seen, now) => plan.left += 1,
                // Nothing is deleted unseen that does not even have the size it had, or is only
                // known by its header.
                Some(entry) if entry.adopted || differ(entry.octets, listed.octets) => {
                    plan.fetch.push(fetch(KnownBy::Content));
                }
                Some(_) => plan.delete.push((listed.number, id)),
            }
            if ambiguous {
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
    pub(crate) fn limit(&mut self, leave: Leave) -> bool {
        let deletes = self.delete.len();
        let messages_max = BATCH_MESSAGES.max((deletes + self.fetch.len()) / SESSIONS_MAX);
        let octets_max = BATCH_OCTETS.max(self.octets() / SESSIONS_MAX as u64);
        self.delete.truncate(messages_max);
        let mut cut = self.delete.len() < deletes;
        // Only what is deleted at once can be undone.
        if leave.deletes_at_once() {
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
mod tests {
    use restante_host::Host;

    use super::*;
    use crate::account::DAY_S;
    use crate::entry::Entry;
    use crate::key::Content;

    fn listed(number: u32, id: &'static str, octets: Option<u64>) -> Listed {
        let number = MessageNumber::new(number).unwrap();
        Listed { number, unique_id: id.into(), octets }
    }

    async fn ledger(folder: &tempfile::TempDir) -> Ledger {
        let mut ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
        let mut entry = |id: &str, state, octets| {
            let entry = Entry::new(state, Some(octets), 0);
            ledger.stage(MessageId::unique(id.as_bytes()), entry).unwrap();
        };
        entry("stored", State::Stored, 10);
        entry("resized", State::Stored, 10);
        entry("sent", State::DeleteSent, 10);
        entry("gone", State::Gone, 10);
        entry("twice", State::Stored, 10);
        let content = Some(Content { sha256: [1; 32], occurrence: 0 });
        let id = MessageId { unique_id: b"once twice"[..].into(), content };
        ledger.stage(id, Entry::new(State::Stored, None, 0)).unwrap();
        let late = Entry { next_try: 100, ..Entry::new(State::Failed, None, 0) };
        ledger.stage(MessageId::unique(b"failed"), late).unwrap();
        ledger
    }

    fn listing() -> Vec<Listed> {
        vec![
            listed(1, "new", Some(7)),
            listed(2, "stored", Some(10)),
            listed(3, "resized", Some(11)),
            listed(4, "sent", None),
            listed(5, "gone", Some(10)),
            listed(6, "twice", Some(10)),
            listed(7, "twice", Some(10)),
            listed(8, "", Some(10)),
            listed(9, "failed", Some(10)),
            listed(10, "once twice", Some(10)),
        ]
    }

    /// `number` and, for messages to be read for their content, `c`.
    fn summary(plan: &Plan) -> (Vec<String>, Vec<u32>, usize, usize, usize) {
        let fetch = plan.fetch.iter().map(|fetch| match fetch.known_by {
            KnownBy::UniqueId => fetch.number.to_string(),
            KnownBy::Content => format!("{}c", fetch.number),
        });
        let delete = plan.delete.iter().map(|(number, _)| number.to_u32()).collect();
        (fetch.collect(), delete, plan.left, plan.waiting, plan.unidentified)
    }

    #[tokio::test]
    async fn each_message_gets_what_its_state_and_policy_say() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(&folder).await;
        let fetch = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (leave, now, expected) in [
            (Leave::Never, 50, (fetch("1 3c 5c 6c 7c 8c 10c"), vec![2, 4], 0, 1, 4)),
            (Leave::Never, 100, (fetch("1 3c 5c 6c 7c 8c 10c 9"), vec![2, 4], 0, 0, 4)),
            (Leave::Always, 50, (fetch("1 5c 6c 7c 8c 10c"), vec![], 3, 1, 4)),
            (Leave::Days(1), DAY_S - 1, (fetch("1 5c 6c 7c 8c 10c 9"), vec![], 3, 0, 4)),
            (Leave::Days(1), DAY_S, (fetch("1 3c 5c 6c 7c 8c 10c 9"), vec![2, 4], 0, 0, 4)),
        ] {
            let plan = Plan::new(&listing(), &ledger, leave, now);
            assert_eq!(summary(&plan), expected, "{leave:?} at {now}");
        }
    }

    #[tokio::test]
    async fn what_another_collector_fetched_is_deleted_only_where_both_wanted_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
        for (id, imported) in [("stored", Imported::Left), ("gone", Imported::Deleted)] {
            let entry = Entry::new(State::Stored, None, 0);
            let entry = Entry { imported: Some(imported), ..entry };
            ledger.stage(MessageId::unique(id.as_bytes()), entry).unwrap();
        }
        let listing = [listed(1, "stored", Some(1)), listed(2, "gone", Some(2))];
        for (leave, now, delete) in [
            (Leave::Always, DAY_S, vec![]),
            (Leave::Days(1), DAY_S - 1, vec![]),
            (Leave::Days(1), DAY_S, vec![2]),
            (Leave::Never, 0, vec![2]),
        ] {
            let left = 2 - delete.len();
            let plan = Plan::new(&listing, &ledger, leave, now);
            assert_eq!(summary(&plan), (vec![], delete, left, 0, 0), "{leave:?} at {now}");
        }
    }

    #[tokio::test]
    async fn sizes_that_no_message_has_do_not_upset_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
        let huge = [listed(1, "a", Some(u64::MAX)), listed(2, "b", Some(u64::MAX))];
        let mut plan = Plan::new(&huge, &ledger, Leave::Never, 0);
        assert_eq!(plan.octets(), u64::MAX);
        plan.limit(Leave::Never);
        assert!(!plan.fetch.is_empty());
    }

    #[tokio::test]
    async fn a_session_is_small_where_it_deletes_and_always_moves_on() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&Host::real(), folder.path()).await.unwrap();
        let many = |messages: u32, octets| -> Vec<_> {
            let ids = (1..=messages).map(|n| (n, Bytes::from(n.to_string())));
            ids.map(|(n, id)| Listed { unique_id: id, ..listed(n, "", octets) }).collect()
        };
        for (messages, octets, leave, fits, more) in [
            (1500, Some(1000), Leave::Never, 1000, true),
            (1500, None, Leave::Never, 1000, true),
            (1000, None, Leave::Never, 1000, false),
            (300, Some(10 << 20), Leave::Never, 5, true),
            (10, Some(1 << 30), Leave::Never, 1, true),
            (300, Some(1 << 40), Leave::Always, 300, false),
            (1500, None, Leave::Days(0), 1000, true),
            (300, None, Leave::Days(1), 300, false),
            (150_000, Some(100), Leave::Never, 1500, true),
            (1000, Some(50 << 20), Leave::Never, 10, true),
        ] {
            let mut plan = Plan::new(&many(messages, octets), &ledger, leave, 0);
            assert_eq!(plan.limit(leave), more, "{messages} {octets:?} {leave:?}");
            assert_eq!(plan.fetch.len(), fits, "{messages} {octets:?} {leave:?}");
        }
    }
}

//! What an account's policy says of messages that no age can decide on: which of those that are
//! listed are too many, and which were deleted here.
//!
//! In: the listing, what is known of each message, the policy; all of it pure. Out: what may be
//! deleted on the server if it is stored here, or why nothing is decided ([`Held`]). A listing that
//! is empty, much shorter than it ought to be, or of unknown ids says nothing about what is too
//! many, and a Maildir that has lost everything says nothing about what its owner deleted.

use std::collections::HashSet;
use std::fmt;

use restante_client::MessageNumber;
use restante_maildrop::Fate;

use crate::Leave;
use crate::entry::State;
use crate::key::MessageId;
use crate::ledger::Ledger;
use crate::listing::Listed;

/// Why nothing is decided in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The listing is empty, or much shorter than what is known to be there.
    Shortened,
    /// The listing has other ids than those that are known.
    Renumbered,
    /// The listing lacks sizes.
    SizesUnknown,
    /// Where the mail was stored is not there or cannot be read.
    Unreadable,
    /// Of all that was stored there, nothing is left.
    Emptied,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shortened => "the server shows much less mail than it should have",
            Self::Renumbered => "the server gave its messages new ids",
            Self::SizesUnknown => "the server does not tell all sizes",
            Self::Unreadable => "the Maildir cannot be read",
            Self::Emptied => "none of the stored messages is left in the Maildir",
        })
    }
}

/// A listed message and whether it is deleted if the policy says so: it is stored, or about to be.
pub(crate) type Candidate<'a> = (&'a Listed, bool);

/// The messages that are more than `leave` lets stay, as far as they can be deleted.
///
/// The oldest are the ones that were seen first, here; of those seen at the same time the one with
/// the smallest number. (Some servers list the newest first; what comes later is newer all the
/// same.)
pub(crate) fn surplus(
    candidates: &[Candidate<'_>],
    ledger: &Ledger,
    leave: Leave,
    now: u64,
) -> Result<HashSet<MessageNumber>, Held> {
    if !matches!(leave, Leave::Newest(_) | Leave::UnderQuota { .. }) {
        return Ok(HashSet::new());
    }
    refuse_odd(candidates, ledger)?;
    let mut by_age: Vec<_> = candidates
        .iter()
        .map(|candidate| (first_seen(candidate.0, ledger, now), candidate.0.number, candidate))
        .collect();
    by_age.sort_unstable_by_key(|&(seen, number, _)| (seen, number));
    let oldest_first = by_age.iter().map(|&(_, _, candidate)| candidate);
    let mut surplus = HashSet::new();
    match leave {
        Leave::Newest(newest) => {
            let beyond = candidates.len().saturating_sub(newest as usize);
            let deleted = oldest_first.take(beyond).filter(|(_, deletable)| *deletable);
            surplus.extend(deleted.map(|(listed, _)| listed.number));
        }
        Leave::UnderQuota { percent, quota_octets } => {
            let sizes: Option<Vec<_>> =
                candidates.iter().map(|(listed, _)| listed.octets).collect();
            let sizes = sizes.ok_or(Held::SizesUnknown)?;
            // Wide enough that no sum of sizes wraps, whatever the server says.
            let mut total: u128 = sizes.into_iter().map(u128::from).sum();
            let allowed = u128::from(quota_octets) * u128::from(percent) / 100;
            for (listed, _) in oldest_first.filter(|(_, deletable)| *deletable) {
                if total < allowed {
                    break;
                }
                total = total.saturating_sub(listed.octets.unwrap_or(0).into());
                surplus.insert(listed.number);
            }
        }
        _ => {}
    }
    Ok(surplus)
}

/// The stored messages that their owner deleted here, told by their `fates`.
///
/// A message that is simply not there any more counts only while others are: a Maildir that was
/// not mounted, or was begun anew, must not empty the server.
pub(crate) fn deleted_here(
    stored: Vec<MessageId>,
    fates: Option<&[Fate]>,
) -> Result<HashSet<MessageId>, Held> {
    let fates = fates.filter(|fates| fates.len() == stored.len()).ok_or(Held::Unreadable)?;
    if !stored.is_empty() && fates.iter().all(|fate| *fate == Fate::Absent) {
        return Err(Held::Emptied);
    }
    let deleted = stored.into_iter().zip(fates).filter(|(_, fate)| **fate != Fate::Kept);
    Ok(deleted.map(|(id, _)| id).collect())
}

fn refuse_odd(candidates: &[Candidate<'_>], ledger: &Ledger) -> Result<(), Held> {
    if ledger.is_shortened(candidates.len()) {
        return Err(Held::Shortened);
    }
    let known = |listed: &Listed| ledger.with_unique_id(&listed.unique_id).next().is_some();
    let expected = ledger.expected() > 0;
    if expected && !candidates.iter().any(|(listed, _)| known(listed)) {
        return Err(Held::Renumbered);
    }
    Ok(())
}

/// When a message with this id was first seen; one without an id is always new.
fn first_seen(listed: &Listed, ledger: &Ledger, now: u64) -> u64 {
    if listed.unique_id.is_empty() {
        return now;
    }
    let known = ledger.with_unique_id(&listed.unique_id);
    // What was deleted and is there again may be another message.
    let known = known.filter(|(_, entry)| entry.state != State::Gone);
    known.map(|(_, entry)| entry.first_seen).min().unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_maildir_that_still_has_mail_says_what_was_deleted() {
        let (kept, discarded, absent) = (Fate::Kept, Fate::Discarded, Fate::Absent);
        for (fates, deleted) in [
            (Some(vec![kept, kept, kept]), Ok("")),
            (Some(vec![kept, discarded, absent]), Ok("bc")),
            // Positive signs are believed, and show that the Maildir is the right one.
            (Some(vec![discarded, discarded, discarded]), Ok("abc")),
            (Some(vec![absent, absent, discarded]), Ok("abc")),
            (Some(vec![absent, absent, absent]), Err(Held::Emptied)),
            (Some(vec![kept, kept]), Err(Held::Unreadable)),
            (None, Err(Held::Unreadable)),
        ] {
            let stored = ["a", "b", "c"].map(|id| MessageId::unique(id.as_bytes())).to_vec();
            let expected = deleted
                .map(|ids| ids.bytes().map(|id| MessageId::unique(&[id])).collect::<HashSet<_>>());
            assert_eq!(deleted_here(stored, fates.as_deref()), expected, "{fates:?}");
        }
    }
}

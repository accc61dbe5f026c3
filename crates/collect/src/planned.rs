//! What a session will do, in numbers and in words.
//!
//! In: the judgement a plan is made of. Out: for each message what is done with it and why.
//! Nothing here decides anything.

use serde::Serialize;

use crate::Leave;
use crate::account::DAY_S;
use crate::entry::Entry;
use crate::key::MessageId;
use crate::ledger::Ledger;
use crate::plan::{Judged, Judgement, Rules, Standing, Verdict};

/// What a session will do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Messages to be fetched in this run.
    pub fetch: u64,
    /// Their octets, as far as the server says.
    pub octets: u64,
    /// Messages to be deleted on the server, including fetched ones.
    pub delete: u64,
    /// Messages to be left there.
    pub left: u64,
}

/// What is done with a message, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedMessage {
    /// Its number in the session that was asked.
    pub number: u32,
    /// Its unique-id, with what is not printable in ASCII escaped.
    pub unique_id: String,
    /// Its size, as far as the server says.
    pub octets: Option<u64>,
    /// What is done with it.
    pub action: Action,
    /// Why.
    pub reason: String,
}

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// It is fetched and stays on the server.
    Fetch,
    /// It is fetched and, once it is stored, deleted on the server.
    FetchAndDelete,
    /// It is stored here and deleted on the server.
    Delete,
    /// It is stored here and stays on the server.
    Leave,
    /// It failed and is tried again later.
    Wait,
    /// It is not fetched.
    Skip,
}

impl Action {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::FetchAndDelete => "fetch and delete",
            Self::Delete => "delete",
            Self::Leave => "leave",
            Self::Wait => "wait",
            Self::Skip => "skip",
        }
    }
}

/// Puts a judgement into words.
pub(crate) fn explain(
    judgement: &Judgement<'_>,
    ledger: &Ledger,
    rules: &Rules,
    now: u64,
) -> Vec<PlannedMessage> {
    let explained = judgement.messages.iter().map(|judged| {
        let &Judged { listed, verdict, .. } = judged;
        let entry = ledger.entry(&MessageId::unique(&listed.unique_id));
        let action = match verdict {
            Verdict::Fetch { due: true, .. } => Action::FetchAndDelete,
            Verdict::Fetch { .. } => Action::Fetch,
            Verdict::Delete => Action::Delete,
            Verdict::Leave => Action::Leave,
            Verdict::Wait => Action::Wait,
            Verdict::Skip => Action::Skip,
        };
        let mut reason = reason(judged, entry, rules, now);
        if let (Action::Leave, Some(held)) = (action, judgement.held) {
            reason = format!("stored; nothing is deleted for now: {held}");
        }
        PlannedMessage {
            number: listed.number.to_u32(),
            unique_id: listed.unique_id.escape_ascii().to_string(),
            octets: listed.octets,
            action,
            reason,
        }
    });
    explained.collect()
}

fn reason(judged: &Judged<'_>, entry: Option<&Entry>, rules: &Rules, now: u64) -> String {
    let attempts = entry.map_or(0, |entry| entry.attempts);
    let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
    match judged.standing {
        Standing::New => "new".into(),
        Standing::Unidentified => "no id of its own: its octets tell whether it is new".into(),
        Standing::CameBack => "it was deleted and is there again: its octets tell".into(),
        Standing::Again(_) => format!("tried again after it failed {times}"),
        Standing::Waiting => {
            let minutes = entry.map_or(0, |entry| entry.next_try.saturating_sub(now)).div_ceil(60);
            format!("it failed {times}; tried again in {minutes} min")
        }
        Standing::Foreign => "fetched by another collector, which was to leave it".into(),
        Standing::TooLarge => "larger than `largest`".into(),
        Standing::Doubtful if judged.verdict != Verdict::Leave => {
            "stored, and compared before it is deleted".into()
        }
        Standing::Stored | Standing::Doubtful => {
            let first_seen = entry.map_or(now, |entry| entry.first_seen);
            policy_reason(rules.leave, judged.verdict == Verdict::Leave, first_seen, now)
        }
    }
}

/// Why a stored message stays or goes.
fn policy_reason(leave: Leave, stays: bool, first_seen: u64, now: u64) -> String {
    let age_days = now.saturating_sub(first_seen) / DAY_S;
    match (leave, stays) {
        (Leave::Never, _) => "stored".into(),
        (Leave::Always, _) => "stored, and stays".into(),
        (Leave::Days(days), true) => {
            let left = u64::from(days).saturating_sub(age_days);
            format!("stored; stays for {left} more of {days} days")
        }
        (Leave::Days(_), false) => format!("stored, and first seen {age_days} days ago"),
        (Leave::UntilDeletedHere, true) => "stored, and not deleted here".into(),
        (Leave::UntilDeletedHere, false) => "deleted here".into(),
        (Leave::Newest(newest), true) => format!("stored, and among the newest {newest}"),
        (Leave::Newest(newest), false) => format!("stored, and older than the newest {newest}"),
        (Leave::UnderQuota { percent, .. }, true) => {
            format!("stored; without older ones the maildrop is under {percent}% of its quota")
        }
        (Leave::UnderQuota { percent, .. }, false) => {
            format!("stored, and the maildrop is not under {percent}% of its quota")
        }
    }
}

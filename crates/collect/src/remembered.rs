//! What another collector fetched, written into an account's ledger, so that it is not fetched
//! again.
//!
//! In: unique-ids. Out: ledger entries that are stored elsewhere. Entries that are there stay as
//! they are, so that doing it twice does nothing.

use std::path::Path;
use std::time::SystemTime;

use restante_host::Host;

use crate::entry::{Entry, Imported, State};
use crate::import::Seen;
use crate::key::{AccountKey, MessageId};
use crate::ledger::Ledger;
use crate::{Account, LedgerError};

/// Notes that these messages were fetched, in the ledger that a collector of `account` with this
/// `state` folder uses, and returns how many it did not know. They are durable then.
///
/// # Errors
/// When the ledger cannot be used. What was noted before stays noted.
pub async fn remember(
    host: &Host,
    state: &Path,
    account: &Account,
    seen: &[Seen],
) -> Result<u64, LedgerError> {
    let folder = state.join(AccountKey::new(account).folder_name(account));
    let mut ledger = Ledger::open(host, &folder).await?;
    let since = host.clock.wall().duration_since(SystemTime::UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_secs());
    let mut new = 0;
    for seen in seen {
        if seen.unique_id.is_empty() || ledger.with_unique_id(&seen.unique_id).next().is_some() {
            continue;
        }
        let imported = if seen.delete { Imported::Deleted } else { Imported::Left };
        let entry = Entry {
            imported: Some(imported),
            // A time to come would keep the message for ever.
            first_seen: seen.time.map_or(now, |time| time.min(now)),
            ..Entry::new(State::Stored, None, now)
        };
        ledger.stage(MessageId::unique(&seen.unique_id), entry)?;
        new += 1;
        if ledger.staged() >= STAGED_MAX {
            ledger.flush().await?;
        }
    }
    ledger.flush().await?;
    Ok(new)
}

/// Enough for one sync to cost nothing, few enough for little memory.
const STAGED_MAX: usize = 10_000;

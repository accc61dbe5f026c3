//! A server that gave every message a new unique-id, as after a move to another software: its
//! messages are known again by size and header instead of being fetched a second time.
//!
//! In: a listing in which no id is known although the ledger has messages that should be there,
//! and their sizes are. Out: ledger entries under the new ids. A header is not the whole message,
//! so an adopted message is read and compared before it is ever deleted. Where `TOP` is refused
//! nothing is adopted.

use std::collections::{HashMap, HashSet};

use restante_client::{Connection, Error};

use crate::CollectError;
use crate::entry::{Entry, State};
use crate::header::Header;
use crate::key::MessageId;
use crate::ledger::Ledger;
use crate::listing::Listed;

/// Stored messages by the size the server gave them.
type BySize = HashMap<u64, Vec<(MessageId, Entry)>>;

/// Adopts what is known again, and tells how many that were. Stages only.
pub(crate) async fn adopt(
    connection: &mut Connection,
    ledger: &mut Ledger,
    listing: &[Listed],
) -> Result<usize, CollectError> {
    let Some(mut missing) = renumbered(ledger, listing) else { return Ok(0) };
    let mut adopted = 0;
    for listed in listing {
        if !is_new(ledger, listed) {
            continue;
        }
        let alike = listed.octets.and_then(|octets| missing.get_mut(&octets));
        let Some(alike) = alike.filter(|alike| !alike.is_empty()) else { continue };
        let mut header = Header::default();
        match connection.top(listed.number, 0, &mut header).await {
            Ok(_) => {}
            Err(Error::Refused { .. }) if adopted == 0 => break,
            Err(Error::Refused { .. }) => continue,
            Err(error) => return Err(error.into()),
        }
        let header = Some(header.finish());
        if let Some(place) = alike.iter().position(|(_, entry)| entry.header == header) {
            let (old, entry) = alike.swap_remove(place);
            let entry = Entry { adopted: true, absent: 0, absent_since: 0, ..entry };
            ledger.stage(MessageId::unique(&listed.unique_id), entry)?;
            ledger.forget(&old)?;
            adopted += 1;
        }
    }
    Ok(adopted)
}

/// The messages to be found again, when the listing looks as if they were all renamed. Those that
/// an earlier run adopted before it was broken off are no sign of the contrary.
fn renumbered(ledger: &Ledger, listing: &[Listed]) -> Option<BySize> {
    let mut ids: HashSet<&[u8]> = HashSet::new();
    let all_new = listing.iter().all(|listed| {
        let id = &*listed.unique_id;
        let known = || ledger.with_unique_id(id).any(|(_, entry)| !entry.adopted);
        !id.is_empty() && ids.insert(id) && !known()
    });
    if !all_new {
        return None;
    }
    let mut missing = BySize::new();
    for (id, entry) in ledger.entries() {
        let awaited = entry.state == State::Stored
            && id.content.is_none()
            && entry.header.is_some()
            && !id.unique_id.is_empty()
            && !ids.contains(&*id.unique_id);
        if let (true, Some(octets)) = (awaited, entry.octets) {
            missing.entry(octets).or_default().push((id.clone(), entry.clone()));
        }
    }
    let expected: usize = missing.values().map(Vec::len).sum();
    let mut sizes = HashMap::new();
    for listed in listing.iter().filter(|listed| is_new(ledger, listed)) {
        if let Some(octets) = listed.octets {
            *sizes.entry(octets).or_insert(0_usize) += 1;
        }
    }
    let found: usize = missing
        .iter()
        .map(|(octets, alike)| alike.len().min(sizes.get(octets).copied().unwrap_or(0)))
        .sum();
    (expected > 0 && found >= expected.div_ceil(2)).then_some(missing)
}

fn is_new(ledger: &Ledger, listed: &Listed) -> bool {
    ledger.with_unique_id(&listed.unique_id).next().is_none()
}

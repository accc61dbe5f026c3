//! What the ledger knows of a message, and its form as a record: one JSON object.

use serde::{Deserialize, Serialize};

use crate::key::{Content, Hash, MessageId, hex, unhex};

/// A message's state. New messages have no entry; one that its owner wants deleted is `Stored`
/// until the server was told, because what is wanted follows from the account's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It could not be collected and is tried again later.
    Failed,
    /// It is durable at its destination.
    Stored,
    /// The server took `DELE` for it, and `QUIT` is sent or about to be; the answer is not known.
    DeleteSent,
    /// The server said that it deleted it, or no longer lists it.
    Gone,
}

/// What the collector that fetched a message was to do with it on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Imported {
    /// To leave it there: so it stays, whatever the account's policy is now.
    Left,
    /// To delete it: so the account's policy may.
    Deleted,
}

/// A ledger's entry. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) first_seen: u64,
    /// When the state last changed.
    pub(crate) changed: u64,
    /// What `LIST` said: when it says something else, the id may stand for another message.
    pub(crate) octets: Option<u64>,
    /// Of the octets as the server sent them.
    pub(crate) sha256: Option<Hash>,
    /// Of its header, to know it again under another unique-id.
    pub(crate) header: Option<Hash>,
    /// It was known again so, and its octets were not compared yet.
    pub(crate) adopted: bool,
    /// It was fetched by another collector and never stored here.
    pub(crate) imported: Option<Imported>,
    /// What the destination calls it.
    pub(crate) receipt: Option<String>,
    /// How often it failed, why the last time, and when it is tried again.
    pub(crate) attempts: u32,
    pub(crate) reason: Option<String>,
    pub(crate) next_try: u64,
    /// In how many good sessions it was not listed, and since when.
    pub(crate) absent: u32,
    pub(crate) absent_since: u64,
}

impl Entry {
    pub(crate) fn new(state: State, octets: Option<u64>, now: u64) -> Self {
        Self {
            state,
            first_seen: now,
            changed: now,
            octets,
            sha256: None,
            header: None,
            adopted: false,
            imported: None,
            receipt: None,
            attempts: 0,
            reason: None,
            next_try: 0,
            absent: 0,
            absent_since: 0,
        }
    }

    pub(crate) fn enter(&mut self, state: State, now: u64) {
        self.state = state;
        self.changed = now;
    }
}

/// A record: the whole entry each time, the last one counts. Without a state, the entry is
/// dropped.
#[derive(Serialize, Deserialize)]
struct Record {
    /// The unique-id's octets as Latin-1: readable where it is ASCII, and reversible always.
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    occurrence: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(default)]
    first_seen: u64,
    #[serde(default)]
    changed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    octets: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    adopted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<Imported>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero_long")]
    next_try: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    absent: u32,
    #[serde(default, skip_serializing_if = "is_zero_long")]
    absent_since: u64,
}

/// Writes a record; `None` drops the entry.
pub(crate) fn encode(id: &MessageId, entry: Option<&Entry>) -> Result<Vec<u8>, serde_json::Error> {
    let dropped = Entry::new(State::Gone, None, 0);
    let known = entry.unwrap_or(&dropped);
    serde_json::to_vec(&Record {
        id: id.unique_id.iter().map(|&octet| char::from(octet)).collect(),
        content: id.content.map(|content| hex(&content.sha256)),
        occurrence: id.content.map_or(0, |content| content.occurrence),
        state: entry.map(|entry| entry.state),
        first_seen: known.first_seen,
        changed: known.changed,
        octets: known.octets,
        sha256: known.sha256.map(|hash| hex(&hash)),
        header: known.header.map(|hash| hex(&hash)),
        adopted: known.adopted,
        imported: known.imported,
        receipt: known.receipt.clone(),
        attempts: known.attempts,
        reason: known.reason.clone(),
        next_try: known.next_try,
        absent: known.absent,
        absent_since: known.absent_since,
    })
}

/// Reads a record back; the text says what is wrong with it.
pub(crate) fn decode(record: &[u8]) -> Result<(MessageId, Option<Entry>), String> {
    let record: Record = serde_json::from_slice(record).map_err(|error| error.to_string())?;
    let octets: Option<Box<[u8]>> = record.id.chars().map(|c| u8::try_from(c).ok()).collect();
    let unique_id = octets.ok_or("a unique-id is not Latin-1")?;
    let hash = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => unhex(&text).map(Some).ok_or("a hash is not SHA-256"),
    };
    let occurrence = record.occurrence;
    let content = hash(record.content)?.map(|sha256| Content { sha256, occurrence });
    let sha256 = hash(record.sha256)?;
    let header = hash(record.header)?;
    let entry = record.state.map(|state| Entry {
        state,
        first_seen: record.first_seen,
        changed: record.changed,
        octets: record.octets,
        sha256,
        header,
        adopted: record.adopted,
        imported: record.imported,
        receipt: record.receipt,
        attempts: record.attempts,
        reason: record.reason,
        next_try: record.next_try,
        absent: record.absent,
        absent_since: record.absent_since,
    });
    Ok((MessageId { unique_id, content }, entry))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero_long(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were_whatever_the_unique_id() {
        let every_octet: Vec<u8> = (0..=u8::MAX).collect();
        for unique_id in [&b""[..], b"plain", b"\r\n\"\\", &every_octet] {
            for content in [None, Some(Content { sha256: [7; 32], occurrence: 2 })] {
                let id = MessageId { unique_id: unique_id.into(), content };
                let entry = Entry {
                    sha256: Some([9; 32]),
                    header: Some([8; 32]),
                    adopted: true,
                    imported: Some(Imported::Deleted),
                    receipt: Some("name,S=1".into()),
                    attempts: 3,
                    reason: Some("-ERR \"no\"".into()),
                    next_try: 4,
                    absent: 1,
                    absent_since: 5,
                    ..Entry::new(State::DeleteSent, Some(12), 34)
                };
                let record = encode(&id, Some(&entry)).unwrap();
                assert!(!record.contains(&b'\n'));
                assert_eq!(decode(&record).unwrap(), (id.clone(), Some(entry)));
                assert_eq!(decode(&encode(&id, None).unwrap()).unwrap(), (id, None));
            }
        }
        assert!(decode(br#"{"id":"a","state":"lost"}"#).is_err());
        assert!(decode(br#"{"id":"a","content":"00"}"#).is_err());
    }
}

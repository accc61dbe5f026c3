//! What the server has, put together from `UIDL` and `LIST`.
//!
//! In: two lists that may disagree, repeat numbers and lack lines. Out: every message either of
//! them mentions, once, with what is known of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use restante_client::{
    Capability, Connection, Error, IdLine, MessageNumber, Refusal, ResponseCode, ScanLine,
};

/// A message as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) number: MessageNumber,
    /// Empty where there is none, or more than one.
    pub(crate) unique_id: Bytes,
    pub(crate) octets: Option<u64>,
}

/// Asks for both lists. `expects_ids`: an earlier session had unique-ids.
///
/// A `-ERR` to `UIDL` does not tell "unsupported" from "failed", so it is believed to mean that
/// there are no unique-ids only where nothing says otherwise: taking a failure for an answer would
/// fetch everything again.
pub(crate) async fn ask(
    connection: &mut Connection,
    expects_ids: bool,
) -> Result<Vec<Listed>, Error> {
    let ids = match connection.uidl().await {
        Ok(ids) => Some(ids),
        Err(Error::Refused { refusal, .. }) if !is_temporary(&refusal) && !expects_ids => {
            if connection.capabilities().has(&Capability::Uidl) {
                return Err(Error::Refused { command: "UIDL", refusal });
            }
            None
        }
        Err(error) => return Err(error),
    };
    let sizes = match (connection.list().await, &ids) {
        (Ok(sizes), _) => sizes,
        // Sizes are a hint only.
        (Err(Error::Refused { .. }), Some(_)) => Vec::new(),
        (Err(error), _) => return Err(error),
    };
    Ok(join(ids.unwrap_or_default(), &sizes))
}

fn is_temporary(refusal: &Refusal) -> bool {
    matches!(refusal.code, Some(ResponseCode::SysTemp | ResponseCode::InUse))
}

fn join(ids: Vec<IdLine>, sizes: &[ScanLine]) -> Vec<Listed> {
    let mut listed = BTreeMap::new();
    for IdLine { number, id } in ids {
        listed
            .entry(number)
            // Two ids for one number: neither can be trusted.
            .and_modify(|known: &mut Listed| {
                if known.unique_id != id {
                    known.unique_id = Bytes::new();
                }
            })
            .or_insert(Listed { number, unique_id: id, octets: None });
    }
    for ScanLine { number, octets } in sizes {
        let message = listed.entry(*number).or_insert_with(|| Listed {
            number: *number,
            unique_id: Bytes::new(),
            octets: None,
        });
        message.octets = octets.map(restante_client::Octets::to_u64);
    }
    listed.into_values().collect()
}

#[cfg(test)]
mod tests {
    use restante_client::Octets;

    use super::*;

    #[test]
    fn c4_lists_that_disagree_lose_no_message() {
        let number = |number| MessageNumber::new(number).unwrap();
        let id = |n, id: &'static str| IdLine { number: number(n), id: id.into() };
        let size = |n, octets| ScanLine { number: number(n), octets };
        let listed = join(
            vec![id(1, "a"), id(3, "c"), id(3, "d"), id(4, "e"), id(4, "e"), id(5, "")],
            &[size(1, Some(Octets::new(10))), size(2, None), size(4, Some(Octets::new(4)))],
        );
        let plain: Vec<_> =
            listed.iter().map(|m| (m.number.to_u32(), &m.unique_id[..], m.octets)).collect();
        assert_eq!(
            plain,
            [
                (1, &b"a"[..], Some(10)),
                (2, b"", None),
                (3, b"", None),
                (4, b"e", Some(4)),
                (5, b"", None)
            ]
        );
    }
}

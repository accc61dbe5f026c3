//! Every dialogue on the bare session: whole, octet by octet, and cut at every offset. What the
//! server says must not depend on how the client's octets arrive.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test stops where it fails"
)]

use std::path::Path;

use restante_dialogue::{Dialogue, check};

mod support;
use support::Office;

/// Runs a dialogue with the client's octets of each part cut into pieces.
fn run(dialogue: &Dialogue, how: &str, pieces: impl Fn(Vec<u8>) -> Vec<Vec<u8>>) {
    let mut office = Office::new(dialogue);
    for (number, part) in dialogue.parts.iter().enumerate() {
        pieces(part.client_octets()).iter().for_each(|piece| office.hear(piece));
        let said = std::mem::take(&mut office.said);
        check(&format!("{}, part {number}, {how}", dialogue.name), &said, part.server_lines());
    }
    assert_eq!(office.closed, dialogue.closed, "{}, {how}: closed", dialogue.name);
}

#[test]
fn dialogues_hold_in_every_chunking() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    for dialogue in Dialogue::read_all(&folder) {
        run(&dialogue, "whole", |octets| vec![octets]);
        run(&dialogue, "octet by octet", |octets| octets.chunks(1).map(<[u8]>::to_vec).collect());
        let longest = dialogue.parts.iter().map(|part| part.client_octets().len()).max();
        let longest = longest.unwrap_or(0);
        // Cutting takes quadratic time: the few dialogues with very long lines are cut at some
        // hundred offsets spread over them.
        for at in (1..longest).step_by(longest.div_ceil(CUTS_MAX).max(1)) {
            run(&dialogue, &format!("cut at {at}"), |mut octets| {
                let rest = octets.split_off(at.min(octets.len()));
                vec![octets, rest]
            });
        }
    }
}

const CUTS_MAX: usize = 1500;

//! Exactly once, whatever fails and wherever: each message ends up in the destination in one copy
//! with the octets it had, and where nothing is to be left, the server ends up empty.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests")]

mod support;

use restante_collect::Leave;
use support::*;

const MESSAGES: [(&str, &str); 3] =
    [("a", "one\r\n"), ("b", ".\r\n..two\r\n"), ("../c\"\\", "\r\n.\r\nthree\r\n")];
/// No ids, one id for two, and two messages of the same octets.
const AMBIGUOUS: [(&str, &str); 5] =
    [("a", "one\r\n"), ("a", "two\r\n"), ("", "three\r\n"), ("", "four\r\n"), ("", "four\r\n")];

fn texts(messages: &[(&str, &str)]) -> Vec<String> {
    let mut texts: Vec<_> = messages.iter().map(|(_, text)| (*text).to_owned()).collect();
    texts.sort();
    texts
}

fn check(world: &World, messages: &[(&str, &str)], what: &str) {
    check_mail(world, messages, what);
    // Nothing a server says becomes a name on the disk.
    let folder = "account-fred-pop.example.org-8fec6ba1f3544d79";
    assert_eq!(world.state_files(), ["ledger", "runs"].map(|file| format!("{folder}/{file}")));
}

fn check_mail(world: &World, messages: &[(&str, &str)], what: &str) {
    assert_eq!(world.store.texts(), texts(messages), "{what}");
    let left = match world.account.leave {
        Leave::Never => vec![],
        _ => texts(messages),
    };
    assert_eq!(world.server.texts(), left, "{what}");
}

/// Goal: a connection that ends anywhere costs nothing. Method: cut a session at every octet it
/// has, in both directions, then run once more in peace.
async fn cut_everywhere(leave: Leave, quirks: Quirks, messages: &[(&str, &str)]) {
    let world = World::new(leave, messages);
    world.server.quirks(quirks.clone());
    assert_eq!(world.collect().await.error, None);
    check(&world, messages, "without a cut");
    let whole = world.server.octets();
    assert!(whole > 100);
    for cut in 0..whole {
        let world = World::new(leave, messages);
        world.server.quirks(Quirks { cut: Some(cut), ..quirks.clone() });
        let report = world.collect().await;
        // Only a cut in the last reply, with nothing marked, goes unnoticed.
        assert!(report.error.is_some() || leave == Leave::Always, "cut at {cut}");
        assert!(report.error.is_none() || report.temporary, "cut at {cut}: {report:?}");
        world.server.quirks(quirks.clone());
        world.collect_to_the_end().await;
        check(&world, messages, &format!("cut at {cut}"));
        // And nothing is left to be done.
        world.server.forget_log();
        world.collect_to_the_end().await;
        if !messages.iter().any(|(id, _)| id.is_empty()) {
            assert_eq!(world.server.count("RETR"), 0, "cut at {cut}");
        }
        check(&world, messages, &format!("cut at {cut}, third run"));
    }
}

#[tokio::test(start_paused = true)]
async fn c6_cut_at_every_octet_with_leave_never() {
    cut_everywhere(Leave::Never, Quirks::default(), &MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn c6_c9_cut_at_every_octet_with_pipelining() {
    let quirks = Quirks { pipelining: true, ..Quirks::default() };
    cut_everywhere(Leave::Never, quirks, &MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn cut_at_every_octet_with_leave_always() {
    cut_everywhere(Leave::Always, Quirks::default(), &MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn c4_cut_at_every_octet_with_ambiguous_ids() {
    cut_everywhere(Leave::Never, Quirks::default(), &AMBIGUOUS).await;
}

#[tokio::test(start_paused = true)]
async fn cut_at_every_octet_without_unique_ids() {
    let quirks = Quirks { no_uidl: true, pipelining: true, ..Quirks::default() };
    cut_everywhere(Leave::Never, quirks, &AMBIGUOUS).await;
}

/// Goal: a machine that is switched off at any change to its disk loses and repeats nothing, and
/// neither does one that is switched off again while it recovers. Method: burn a fuse of every
/// length, with and without the last change having happened.
async fn switch_off_everywhere(leave: Leave, messages: &[(&str, &str)]) {
    for last_happens in [false, true] {
        for first in 0.. {
            let burnt = switch_off(leave, messages, &[(first, last_happens)]).await;
            if !burnt {
                assert!(first > 5, "{first} changes cannot be all");
                break;
            }
            for second in 0..8 {
                let fuses = [(first, last_happens), (second, !last_happens)];
                switch_off(leave, messages, &fuses).await;
            }
        }
    }
}

/// Whether the first fuse burnt down.
async fn switch_off(leave: Leave, messages: &[(&str, &str)], fuses: &[(i64, bool)]) -> bool {
    let mut world = World::new(leave, messages);
    world.server.quirks(Quirks { pipelining: true, ..Quirks::default() });
    let mut first_burnt = None;
    for &(changes, last_happens) in fuses {
        let fuse = Fuse::of(changes, last_happens);
        world.machine.fuse = fuse.clone();
        world.store = world.store.with_fuse(fuse.clone());
        let report = world.collect().await;
        assert!(report.error.is_none() || fuse.is_burnt(), "{fuses:?}: {report:?}");
        // What is written after the work is done is not worth an error.
        if report.error.is_none() {
            check_mail(&world, messages, &format!("{fuses:?}"));
        }
        first_burnt.get_or_insert_with(|| fuse.is_burnt());
    }
    world.machine.fuse = Fuse::long();
    world.store = world.store.with_fuse(Fuse::long());
    world.collect_to_the_end().await;
    check(&world, messages, &format!("{fuses:?}"));
    first_burnt.unwrap()
}

#[tokio::test(start_paused = true)]
async fn r32_switched_off_at_every_change_with_leave_never() {
    switch_off_everywhere(Leave::Never, &MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn r32_switched_off_at_every_change_with_leave_always() {
    switch_off_everywhere(Leave::Always, &MESSAGES).await;
}

#[tokio::test(start_paused = true)]
async fn r32_switched_off_at_every_change_with_ambiguous_ids() {
    switch_off_everywhere(Leave::Never, &AMBIGUOUS).await;
}

/// Goal: what a server renumbered is neither repeated nor lost, wherever the session in which it
/// is found out ends.
#[tokio::test(start_paused = true)]
async fn cut_at_every_octet_after_the_server_renumbered() {
    let mut octets = 1;
    let mut cut = 0;
    while cut < octets {
        let world = World::new(Leave::Always, &MESSAGES);
        world.collect_to_the_end().await;
        world.server.renumber();
        world.server.quirks(Quirks { cut: Some(cut), ..Quirks::default() });
        world.collect().await;
        world.server.quirks(Quirks::default());
        world.collect_to_the_end().await;
        octets = octets.max(world.server.octets());
        check(&world, &MESSAGES, &format!("cut at {cut}"));
        cut += 1;
    }
    assert!(octets > 100);
}

/// Goal: a damaged ledger never costs or repeats a message. Method: flip every octet, and cut the
/// file at every length; where it is refused, its owner puts it out of the way.
#[tokio::test(start_paused = true)]
async fn r35_a_ledger_damaged_anywhere_loses_and_repeats_nothing() {
    for leave in [Leave::Never, Leave::Always] {
        let world = World::new(leave, &MESSAGES);
        world.collect_to_the_end().await;
        let ledger = world.ledger();
        let whole = std::fs::read(&ledger).unwrap();
        let (mut refused, mut healed) = (0, 0);
        for place in 0..whole.len() {
            for cut in [true, false] {
                let mut damaged = whole.clone();
                damaged[place] ^= 1;
                damaged.truncate(if cut { place } else { whole.len() });
                std::fs::write(&ledger, damaged).unwrap();
                let report = world.collect().await;
                if let Some(error) = report.error {
                    assert!(!cut && error.contains("is damaged"), "{place}: {error}");
                    std::fs::remove_file(&ledger).unwrap();
                    world.collect_to_the_end().await;
                    refused += 1;
                } else {
                    healed += 1;
                }
                check(&world, &MESSAGES, &format!("octet {place}"));
            }
        }
        assert!(refused > 100 && healed > 100, "{refused} {healed}");
    }
}

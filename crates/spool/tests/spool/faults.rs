//! Calls that fail and processes that stop, at every call of a delivery, a session and a commit.

use std::collections::BTreeMap;
use std::io;

use restante_host::Host;
use restante_maildrop::{CommitError, OpenError};

use crate::faulty::{FaultyFs, KINDS, Kind};
use crate::office::{Office, fred, ids, listing, marks, number};

const MESSAGE: &[u8] = b"Subject: whole\n\nto the last line\n";

fn deliver(office: &Office, host: Host) -> io::Result<()> {
    let spool = office.spool(host);
    let mut incoming = spool.deliver(&fred()).map_err(io::Error::other)?;
    for chunk in MESSAGE.chunks(7) {
        incoming.write(chunk)?;
    }
    incoming.finish().map(drop)
}

/// Six messages, some with flags.
fn filled() -> Office {
    let office = Office::new();
    for at in 1..=6 {
        let name = if at % 2 == 0 { format!("cur/{at}.a:2,S") } else { format!("new/{at}.a") };
        office.put(&name, &message(at));
    }
    office
}

fn message(at: u32) -> Vec<u8> {
    format!("message {at}\n").into_bytes()
}

const MARKED: [u32; 3] = [2, 3, 6];
const UNMARKED: [u32; 3] = [1, 4, 5];

fn holds(messages: &BTreeMap<Vec<u8>, usize>, numbers: &[u32]) -> usize {
    numbers.iter().filter(|at| messages.contains_key(&message(**at))).count()
}

/// Runs `trial` with the n-th call of each kind failing, for every n that is reached.
fn fail_each(error: io::ErrorKind, mut trial: impl FnMut(&FaultyFs, Kind)) -> usize {
    let mut failures = 0;
    for kind in KINDS {
        for n in 0.. {
            let fs = FaultyFs::default();
            fs.plan(move |call| (call.kind == kind && call.of_kind == n).then_some(error));
            trial(&fs, kind);
            if fs.failed() == 0 {
                break;
            }
            failures += fs.failed();
        }
    }
    failures
}

#[test]
fn a_delivery_that_fails_shows_nothing_and_leaves_nothing() {
    for error in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        let failures = fail_each(error, |fs, kind| {
            let office = Office::new();
            let delivered = deliver(&office, fs.host());
            if fs.failed() == 0 {
                delivered.unwrap();
                assert_eq!(office.messages().get(MESSAGE), Some(&1));
                return;
            }
            // The only listing is that of tmp/ for what crashes left there.
            if kind == Kind::ReadDir {
                return delivered.unwrap();
            }
            assert!(delivered.is_err(), "a failed {kind:?} passed for durable");
            assert!(office.messages().is_empty(), "visible after a failed {kind:?}");
            assert!(office.names("tmp").is_empty(), "left in tmp/ after a failed {kind:?}");
            assert_eq!(listing(&office.open()).len(), 0);
        });
        assert!(failures >= 10, "only {failures} calls failed");
    }
}

#[test]
fn a_crash_during_a_delivery_leaves_all_of_it_or_nothing() {
    for at in 0.. {
        let office = Office::new();
        let fs = FaultyFs::default();
        fs.crash_at(at);
        let delivered = deliver(&office, fs.host());
        let messages = office.messages();
        assert!(messages.keys().all(|message| message == MESSAGE), "a torn message is visible");
        assert!(delivered.is_err() || messages.len() == 1);
        if fs.failed() == 0 {
            assert!(at >= 10);
            break;
        }
    }
}

#[test]
fn s32_a_commit_that_fails_touches_no_unmarked_message() {
    let failures = fail_each(io::ErrorKind::Other, |fs, kind| {
        let office = filled();
        let before = ids(&office.open());
        let session = office.spool(fs.host()).open(&fred(), "x");
        let committed = session.map(|session| session.commit(&marks(&MARKED)));
        let messages = office.messages();
        assert_eq!(holds(&messages, &UNMARKED), 3, "a failed {kind:?} lost mail");
        match committed {
            Ok(Ok(())) => assert_eq!(holds(&messages, &MARKED), 0, "{kind:?}"),
            Ok(Err(CommitError::Partial { removed, .. })) => {
                assert_eq!(removed, 3 - holds(&messages, &MARKED), "{kind:?}");
            }
            Ok(Err(CommitError::Temporary(_))) => {
                assert_eq!(holds(&messages, &MARKED), 3, "{kind:?}");
            }
            Err(OpenError::Temporary(_)) => {}
            other => panic!("a failed {kind:?} gave {other:?}"),
        }
        // Whatever it was, the next session is in order and can finish the work.
        let session = office.open();
        let left = ids(&session);
        assert!(before.iter().filter(|id| left.contains(id)).eq(&left), "renumbered");
        let names = MARKED.map(|at| format!("{at}.a"));
        let again: Vec<_> = (1..).zip(&left).filter(|(_, id)| names.contains(id)).collect();
        session.commit(&marks(&again.iter().map(|(n, _)| *n).collect::<Vec<_>>())).unwrap();
        assert_eq!(ids(&office.open()), UNMARKED.map(|at| format!("{at}.a")));
        assert!(!office.maildir().join("restante-journal").exists());
    });
    assert!(failures >= 20, "only {failures} calls failed");
}

/// The client was told that they stayed.
#[test]
fn a_commit_that_could_not_begin_is_not_finished_later() {
    let office = filled();
    let fs = FaultyFs::default();
    let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    // The journal is in its place by then.
    fs.plan(|call| {
        let is_it = call.kind == Kind::SyncDir && call.of_kind == 0;
        is_it.then_some(io::ErrorKind::Other)
    });
    assert!(session.commit(&marks(&MARKED)).is_err());
    assert_eq!(listing(&office.open()).len(), 6);
}

#[test]
fn one_message_that_cannot_be_removed_does_not_keep_the_others() {
    let office = filled();
    let fs = FaultyFs::default();
    let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    fs.plan(|call| {
        let is_it = call.kind == Kind::Unlink && call.path.ends_with("3.a");
        is_it.then_some(io::ErrorKind::PermissionDenied)
    });
    let committed = session.commit(&marks(&MARKED));
    assert!(matches!(committed, Err(CommitError::Partial { removed: 2, .. })), "{committed:?}");
    assert_eq!(ids(&office.open()), ["1.a", "3.a", "4.a", "5.a"]);
}

/// What is not synced may come back.
#[test]
fn s32_a_commit_whose_removals_are_not_synced_is_not_acknowledged() {
    for directory in ["new", "cur"] {
        let office = filled();
        let fs = FaultyFs::default();
        let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
        fs.plan(move |call| {
            let is_it = call.kind == Kind::SyncDir && call.path.ends_with(directory);
            is_it.then_some(io::ErrorKind::Other)
        });
        assert!(session.commit(&marks(&MARKED)).is_err());
        assert_eq!(listing(&office.open()).len(), 3);
    }
}

#[test]
fn a_full_disk_keeps_nobody_from_deleting() {
    for full in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
        let office = filled();
        let fs = FaultyFs::default();
        fs.plan(move |call| {
            let writes = matches!(call.kind, Kind::Create | Kind::Write);
            writes.then_some(full)
        });
        let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
        session.commit(&marks(&MARKED)).unwrap();
        assert_eq!(ids(&office.open()), UNMARKED.map(|at| format!("{at}.a")));
    }
}

/// Goal: after a crash anywhere in a commit, nothing unmarked is gone, and the next session finds
/// the marked messages either all there or all gone; and a crash while that session puts things
/// right changes nothing about it. Method: stop at every call, and again at every call.
#[test]
fn s32_a_crash_at_every_call_of_a_commit_is_all_or_nothing() {
    let mut outcomes = [0, 0];
    for at in 0.. {
        let mut reached = false;
        for again in 0.. {
            let office = filled();
            let fs = FaultyFs::default();
            let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
            fs.crash_at(at);
            let committed = session.commit(&marks(&MARKED));
            reached = fs.failed() > 0;
            assert_eq!(holds(&office.messages(), &UNMARKED), 3, "crash at {at}");

            let second = FaultyFs::default();
            second.crash_at(again);
            drop(office.spool(second.host()).open(&fred(), "x"));
            assert_eq!(holds(&office.messages(), &UNMARKED), 3, "crash at {at}, {again}");

            let session = office.open();
            let marked = holds(&office.messages(), &MARKED);
            assert!(marked == 0 || marked == 3, "crash at {at}, {again}: {marked} of 3 are left");
            assert_eq!(listing(&session).len(), 3 + marked);
            assert!(committed.is_err() || marked == 0, "acknowledged, and yet there");
            outcomes[usize::from(marked == 0)] += 1;
            if second.failed() == 0 {
                break;
            }
        }
        if !reached {
            break;
        }
    }
    assert!(outcomes.iter().all(|&count| count > 10), "one-sided: {outcomes:?}");
}

/// A journal that is not whole was never acted on, and is not acted on now.
#[test]
fn a_damaged_journal_deletes_nothing() {
    let office = filled();
    let fs = FaultyFs::default();
    let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    // Stop with the journal written and nothing removed.
    fs.plan(|call| {
        let late = call.kind == Kind::Unlink
            && call.path.parent().is_some_and(|d| !d.ends_with("Maildir"));
        (late || call.of_kind > 1 && call.kind == Kind::Unlink).then_some(io::ErrorKind::Other)
    });
    session.commit(&marks(&MARKED)).unwrap_err();
    let path = office.maildir().join("restante-journal");
    let journal = std::fs::read(&path).unwrap();
    for at in 0..journal.len() {
        let mut flipped = journal.clone();
        flipped[at] ^= 1;
        for damaged in [&journal[..at], &flipped] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(listing(&office.open()).len(), 6);
            assert!(!path.exists());
        }
    }
    // A whole one does, but not to a message that came back in another file since.
    std::fs::write(&path, &journal).unwrap();
    office.restore("new/3.a");
    assert_eq!(ids(&office.open()), ["1.a", "3.a", "4.a", "5.a"]);
}

#[test]
fn an_index_that_cannot_be_written_or_read_costs_nothing_but_time() {
    for error in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::StorageFull] {
        let office = filled();
        let fs = FaultyFs::default();
        fs.plan(move |call| {
            call.path.to_string_lossy().contains("restante-index").then_some(error)
        });
        for _ in 0..2 {
            assert_eq!(listing(&office.spool(fs.host()).open(&fred(), "x").unwrap()).len(), 6);
        }
        assert!(fs.failed() >= 2);
    }
}

#[test]
fn a_read_only_disk_can_be_read() {
    let office = filled();
    let fs = FaultyFs::default();
    fs.plan(|call| {
        let writes = [Kind::Create, Kind::Unlink, Kind::Rename, Kind::Lock, Kind::CreateDir];
        writes.contains(&call.kind).then_some(io::ErrorKind::ReadOnlyFilesystem)
    });
    let mut session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    session.body(number(1)).unwrap();
    assert!(session.commit(&marks(&MARKED)).is_err());
    assert_eq!(office.messages().len(), 6);
}

/// One bad sector does not hide the message or shut out the owner, and is not remembered.
#[test]
fn an_unreadable_message_is_listed_and_the_others_are_served() {
    let office = filled();
    let fs = FaultyFs::default();
    fs.plan(|call| {
        let is_it = call.kind == Kind::Read && call.path.ends_with("3.a");
        is_it.then_some(io::ErrorKind::Other)
    });
    let seen = listing(&office.spool(fs.host()).open(&fred(), "x").unwrap());
    assert_eq!((seen.len(), seen[2].1), (6, 10));
    assert!(!office.maildir().join("restante-index").exists());
    assert_eq!(listing(&office.open())[2].1, 11);
}

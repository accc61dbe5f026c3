//! Sessions that share a Maildir: snapshots that stay, turns, and what a crash of one leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use restante_host::{Clock, Fs, Host, HostClock, HostFs};
use restante_maildrop::{CommitError, OpenError, ReadError};

use crate::faulty::FaultyFs;
use crate::office::{Office, body, fred, ids, listing, marks, number};

fn filled(messages: u32) -> Office {
    let office = Office::new();
    for at in 1..=messages {
        office.put(&format!("new/{at:03}.a"), format!("message {at}\n").as_bytes());
    }
    office
}

/// Goal: sessions of one process and of two see the same maildrop, and none has it alone.
#[test]
fn s14_sharing_goes_across_processes_and_excludes_the_exclusive() {
    let office = filled(3);
    let (one, two) = (office.spool(Host::real()), office.spool(Host::real()));
    let first = one.share(&fred(), "the first").unwrap();
    let mut second = one.share(&fred(), "the second").unwrap();
    let third = two.share(&fred(), "the third").unwrap();
    for spool in [&one, &two, &office.spool(Host::real())] {
        let alone = spool.open(&fred(), "alone");
        assert!(matches!(alone, Err(OpenError::InUse { holder: Some(_) })), "{alone:?}");
    }
    first.commit(&marks(&[1])).unwrap();
    assert!(matches!(second.body(number(1)), Err(ReadError::Gone)));
    assert_eq!(body(&mut second, 2), b"message 2\n");
    // Moved by another program, and still the same number.
    office.rename("new/002.a", "cur/002.a:2,S");
    assert_eq!(body(&mut second, 2), b"message 2\n");
    third.commit(&marks(&[1, 2])).unwrap();
    drop(second);
    let alone = office.spool(Host::real()).open(&fred(), "alone").unwrap();
    assert_eq!(ids(&alone), ["003.a"]);
    for spool in [&one, &two] {
        assert!(matches!(spool.share(&fred(), "x"), Err(OpenError::InUse { .. })));
    }
}

/// Goal: sessions that look and commit at the same time remove what they marked, nothing else,
/// and never see half of it. Method: as many threads as messages, let go together.
#[test]
fn s32_commits_at_once_remove_exactly_what_was_marked() {
    for _ in 0..5 {
        let office = filled(16);
        let spools = [office.spool(Host::real()), office.spool(Host::real())];
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for at in 0..8 {
                let (spools, barrier) = (&spools, &barrier);
                scope.spawn(move || {
                    let session = spools[at % 2].share(&fred(), "x").unwrap();
                    let marked = u32::try_from(at).unwrap() * 2 + 1;
                    barrier.wait();
                    // Each marks one of its own and one that others mark, too.
                    session.commit(&marks(&[marked, 16])).unwrap();
                    assert!(listing(&spools[at % 2].share(&fred(), "y").unwrap()).len() < 15);
                });
            }
        });
        let left: Vec<_> = (1..=7).map(|at| format!("{:03}.a", at * 2)).collect();
        assert_eq!(ids(&office.open()), left);
        assert!(!office.maildir().join("restante-journal").exists());
    }
}

/// Goal: a session that dies in its commit takes nothing unmarked with it, whatever the others
/// do, and one that comes later finishes what it began. Method: stop at every call.
#[test]
fn s32_a_crash_beside_other_sessions_is_all_or_nothing() {
    for at in 0.. {
        let office = filled(6);
        let fs = FaultyFs::default();
        let healthy = office.spool(Host::real());
        let mut other = healthy.share(&fred(), "the other").unwrap();
        let session = office.spool(fs.host()).share(&fred(), "x").unwrap();
        fs.crash_at(at);
        let committed = session.commit(&marks(&[1, 3]));
        drop(healthy.share(&fred(), "the third").unwrap());
        for here in [2, 4, 5, 6] {
            assert_eq!(body(&mut other, here), format!("message {here}\n").as_bytes());
        }
        other.commit(&marks(&[3, 4])).unwrap();
        let left = ids(&healthy.share(&fred(), "the last").unwrap());
        let (all, gone) = (["001.a", "002.a", "005.a", "006.a"], ["002.a", "005.a", "006.a"]);
        assert!(left == gone || committed.is_err() && left == all, "crash at {at}: {left:?}");
        if fs.failed() == 0 {
            assert!(at > 8);
            break;
        }
    }
}

/// The machine's clock, which counts pauses and waits for none.
#[derive(Debug, Default)]
struct Hasty(AtomicU32);

impl Clock for Hasty {
    fn monotonic(&self) -> Instant {
        HostClock.monotonic()
    }

    fn wall(&self) -> SystemTime {
        HostClock.wall()
    }

    fn pause(&self, time: Duration) {
        self.0.fetch_add(u32::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

/// Goal: a process that is stopped in its turn does not hold the others up for ever.
#[test]
fn a_turn_that_does_not_end_is_waited_for_ten_seconds() {
    let office = filled(1);
    let clock = Arc::new(Hasty::default());
    let spool = office.spool(Host { clock: clock.clone(), ..Host::real() });
    let session = spool.share(&fred(), "x").unwrap();
    let turn = HostFs.try_lock(&office.maildir().join("restante-turn")).unwrap().unwrap();
    assert!(matches!(spool.share(&fred(), "y"), Err(OpenError::Temporary(_))));
    assert_eq!(clock.0.load(Ordering::Relaxed), 10_000);
    assert!(matches!(session.commit(&marks(&[1])), Err(CommitError::Temporary(_))));
    drop(turn);
    assert_eq!(ids(&spool.share(&fred(), "z").unwrap()), ["001.a"]);
}

//! Everybody at once: another program works on the Maildir without a pause while sessions are
//! opened, read and committed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use restante_host::Host;
use restante_maildrop::{Marks, Octets, ReadError};

use crate::office::{Office, bytes, fred, listing, number};

/// Goal: a message never changes its id, is never served as another, never comes back after its
/// commit, and is never lost. Method: the contents tell the id, and every message is accounted
/// for in the end.
#[test]
fn s34_sessions_and_other_programs_do_not_disturb_each_other() {
    let office = Office::new();
    let done = AtomicBool::new(false);
    let mut committed = BTreeSet::new();
    let mut seen_gone = 0;
    let removed = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let removed = work(&office);
            done.store(true, Ordering::SeqCst);
            removed
        });
        let mut last_round = false;
        while !last_round {
            last_round = done.load(Ordering::SeqCst);
            let mut session = office.spool(Host::real()).open(&fred(), "x").unwrap();
            let mut marks = Marks::default();
            for (n, (id, octets)) in (1..).zip(listing(&session)) {
                assert!(!committed.contains(&id), "{id} came back");
                match session.body(number(n)) {
                    Ok(body) => {
                        assert_eq!(bytes(&body), contents(&id));
                        assert_eq!(octets, contents(&id).len() as u64 + 1);
                    }
                    Err(ReadError::Gone) => seen_gone += 1,
                    Err(error) => panic!("{id}: {error}"),
                }
                if n % 4 == 0 {
                    marks.insert(number(n), Octets::new(octets));
                    committed.insert(id);
                }
            }
            session.commit(&marks).unwrap();
        }
        other.join().unwrap()
    });
    let left: BTreeSet<_> = listing(&office.open()).into_iter().map(|(id, _)| id).collect();
    for at in 0..MESSAGES {
        let id = id(at);
        let fates = [&left, &committed, &removed].map(|fate| fate.contains(&id));
        // The other program may have removed what was marked as well.
        assert!(fates.contains(&true), "{id} is lost");
        assert!(!fates[0] || !fates[1] && !fates[2], "{id} came back");
    }
    assert!(!committed.is_empty() && !removed.is_empty(), "{seen_gone} gone, nobody worked");
}

/// Delivers, shows, flags and removes; returns what it removed.
fn work(office: &Office) -> BTreeSet<String> {
    let maildir = office.maildir();
    let mut removed = BTreeSet::new();
    for at in 0..MESSAGES {
        office.put(&format!("tmp/{at}"), &contents(&id(at)));
        office.rename(&format!("tmp/{at}"), &format!("new/{}", id(at)));
        let Some(earlier) = at.checked_sub(3) else { continue };
        let base = id(earlier);
        // The session may have removed it first.
        let _ = office.try_rename(&format!("new/{base}"), &format!("cur/{base}:2,"));
        if at % 3 == 0 {
            let _ = office.try_rename(&format!("cur/{base}:2,"), &format!("cur/{base}:2,S"));
        }
        if at % 7 == 0 {
            let path = maildir.join(format!("cur/{base}:2,"));
            if std::fs::remove_file(path).is_ok() {
                removed.insert(base);
            }
        }
    }
    removed
}

fn id(at: u32) -> String {
    format!("{}.M{at:06}P1.other", 1_700_000_000 + at)
}

fn contents(id: &str) -> Vec<u8> {
    format!("I am {id}\n").into_bytes()
}

const MESSAGES: u32 = 3000;

//! Deleting by moving to a folder: where messages go, what they keep, and what a crash leaves.

use std::io;
use std::path::{Path, PathBuf};

use restante_host::Host;
use restante_maildrop::{CommitError, Owner};
use restante_spool::Spool;

use crate::faulty::{FaultyFs, Kind};
use crate::office::{Office, fred, ids, listing, marks, names};

fn spool(office: &Office, host: Host) -> Spool {
    office.spool(host).with_trash(Some("Trash".to_owned()))
}

fn in_folder(folder: &str) -> Owner {
    fred().in_folder(folder).unwrap()
}

/// What lies in the trash, by the last component of its path.
fn trashed(office: &Office) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    names(&office.maildir().join(".Trash/cur")).into_iter().map(name).collect()
}

#[test]
fn deleted_messages_move_and_keep_their_ids_and_flags() {
    let office = Office::new();
    office.put("new/1.a", b"one\n");
    office.put("cur/2.b:2,FTa", b"two\n");
    office.put("cur/3.c:2,S", b"three\n");
    let spool = spool(&office, Host::real());
    let before = ids(&office.open());
    spool.open(&fred(), "x").unwrap().commit(&marks(&[1, 2])).unwrap();
    assert_eq!(trashed(&office), ["1.a:2,S", "2.b:2,FS"]);
    assert_eq!(ids(&office.open()), ["3.c"]);
    assert!(office.maildir().join(".Trash/maildirfolder").exists());
    assert!(!office.maildir().join("restante-journal").exists());
    // A login to the folder finds them, and what is deleted there is gone.
    let session = spool.open(&in_folder("Trash"), "x").unwrap();
    assert_eq!(ids(&session), before[..2]);
    session.commit(&marks(&[1])).unwrap();
    assert_eq!(trashed(&office), ["2.b:2,FS"]);
    // The same base name again, as of a message that was moved back and read once more.
    office.put("cur/2.b:2,F", b"another\n");
    spool.open(&fred(), "x").unwrap().commit(&marks(&[1, 2])).unwrap();
    assert_eq!(trashed(&office), ["2.b:2,FS", "2.b_1:2,FS", "3.c:2,S"]);
}

#[test]
fn a_folder_shares_the_trash_of_its_maildrop() {
    let office = Office::new();
    for directory in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(office.maildir().join(".Lists").join(directory)).unwrap();
    }
    office.put(".Lists/new/1.list", b"x\n");
    let spool = spool(&office, Host::real());
    spool.open(&in_folder("Lists"), "x").unwrap().commit(&marks(&[1])).unwrap();
    assert_eq!(trashed(&office), ["1.list:2,S"]);
    assert!(!office.maildir().join(".Lists/.Trash").exists());
}

#[test]
fn a_message_under_two_names_is_one_in_the_trash() {
    let office = Office::new();
    office.put("new/1.a", b"x\n");
    std::fs::hard_link(office.maildir().join("new/1.a"), office.maildir().join("cur/1.a:2,F"))
        .unwrap();
    spool(&office, Host::real()).open(&fred(), "x").unwrap().commit(&marks(&[1])).unwrap();
    assert_eq!((trashed(&office).len(), office.messages().len()), (1, 0));
}

/// Goal: what cannot be moved is not deleted. Method: a file where the folder should be.
#[test]
fn without_a_trash_nothing_is_deleted() {
    let office = Office::new();
    office.put("new/1.a", b"x\n");
    office.put(".Trash", b"in the way");
    let session = spool(&office, Host::real()).open(&fred(), "x").unwrap();
    let committed = session.commit(&marks(&[1]));
    assert!(matches!(committed, Err(CommitError::Temporary(_))), "{committed:?}");
    assert_eq!(ids(&office.open()), ["1.a"]);
}

const MARKED: [&str; 3] = ["2.a", "3.a", "6.a"];

/// Six messages, of which three are to go.
fn filled() -> Office {
    let office = Office::new();
    for at in 1..=6 {
        let name = if at % 2 == 0 { format!("cur/{at}.a:2,F") } else { format!("new/{at}.a") };
        office.put(&name, format!("{at}.a").as_bytes());
    }
    office
}

/// How many of the messages that were to go are in the maildrop and in the trash. Every message
/// is in one of them, once, and the others in the maildrop.
fn check(office: &Office, what: &str) -> (usize, usize) {
    let contents = |directory: &Path| {
        let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        names(directory).into_iter().map(read).collect::<Vec<_>>()
    };
    let maildir = office.maildir();
    let mut here = [contents(&maildir.join("new")), contents(&maildir.join("cur"))].concat();
    let there = contents(&maildir.join(".Trash/cur"));
    let marked = here.iter().filter(|text| MARKED.contains(&text.as_str())).count();
    let there_marked = there.iter().filter(|text| MARKED.contains(&text.as_str())).count();
    assert_eq!(there_marked, there.len(), "{what}: what was not marked was moved");
    here.extend(there);
    here.sort();
    assert_eq!(here, ["1.a", "2.a", "3.a", "4.a", "5.a", "6.a"], "{what}: lost or doubled");
    (marked, there_marked)
}

/// Goal: a crash anywhere leaves each message in one place, and the next session finds the marked
/// ones all here or all in the trash, also when it crashes itself first, and also when it knows
/// nothing of a trash. Method: stop at every call, and again at every call.
#[test]
fn s32_a_crash_at_every_call_of_a_move_to_the_trash_is_all_or_nothing() {
    let mut outcomes = [0, 0];
    for at in 0.. {
        let mut reached = false;
        for again in 0.. {
            let what = format!("crash at {at}, {again}");
            let office = filled();
            let fs = FaultyFs::default();
            let session = spool(&office, fs.host()).open(&fred(), "x").unwrap();
            fs.crash_at(at);
            let committed = session.commit(&marks(&[2, 3, 6]));
            reached = fs.failed() > 0;
            check(&office, &what);
            let second = FaultyFs::default();
            second.crash_at(again);
            drop(office.spool(second.host()).open(&fred(), "x"));
            check(&office, &what);
            let session = office.open();
            let (here, there) = check(&office, &what);
            assert!((here, there) == (3, 0) || (here, there) == (0, 3), "{what}: torn");
            assert_eq!(listing(&session).len(), 3 + here, "{what}");
            assert!(committed.is_err() || here == 0, "{what}: acknowledged, and yet there");
            outcomes[usize::from(here == 0)] += 1;
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

/// Goal: calls that fail lose and double nothing either, and what is counted is true.
#[test]
fn s32_a_failed_call_of_a_move_to_the_trash_loses_nothing() {
    let mut failures = 0;
    for kind in [Kind::Create, Kind::Rename, Kind::CreateDir, Kind::SyncDir, Kind::Sync] {
        for n in 0.. {
            let office = filled();
            let fs = FaultyFs::default();
            let session = spool(&office, fs.host()).open(&fred(), "x").unwrap();
            fs.plan(move |call| {
                (call.kind == kind && call.of_kind == n).then_some(io::ErrorKind::Other)
            });
            let committed = session.commit(&marks(&[2, 3, 6]));
            let (_, there) = check(&office, &format!("{kind:?} {n}"));
            match committed {
                Ok(()) => assert_eq!(there, 3),
                Err(CommitError::Partial { removed, .. }) => assert_eq!(there, removed),
                Err(_) => assert_eq!(there, 0),
            }
            if fs.failed() == 0 {
                break;
            }
            failures += 1;
        }
    }
    assert!(failures >= 10, "only {failures} calls failed");
}

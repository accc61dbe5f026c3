//! Other programs at work on the same Maildir, between sessions and during one.

use restante_maildrop::ReadError;

use crate::faulty::{FaultyFs, Kind};
use crate::office::{Office, body, fred, ids, listing, marks, number};

/// The ids, which must be the same without the index.
fn rebuilt_ids(office: &Office) -> Vec<String> {
    let before = ids(&office.open());
    std::fs::remove_file(office.maildir().join("restante-index")).unwrap();
    assert_eq!(ids(&office.open()), before, "the ids depend on the index");
    before
}

#[test]
fn sizes_of_foreign_mail_are_exact() {
    let office = Office::new();
    // Name, contents, size by RFC 1939.
    let mail: [(&str, &[u8], u64); 10] = [
        ("new/1.a", b"A: b\n\nc\n", 11),
        ("new/2.a,S=8,W=11", b"A: b\n\nc\n", 11),
        // Not true any more: some program changed the file.
        ("new/3.a,S=8,W=11", b"A: b\n\nlonger\n", 16),
        // Dovecot does not count the line end that the last line lacks.
        ("new/4.a,S=4,W=5", b"a\nbc", 7),
        ("new/5.a,S=4", b"a\r\nb", 6),
        ("cur/6.a:2,S", b"", 0),
        ("cur/7.a:2,", b"\r\n\r\n", 4),
        ("cur/8.a", b".\n", 3),
        ("cur/9.a,S=x,W=3:2,", b"\0\rx", 5),
        ("cur/9.b,S=0,W=0:2,", b"", 0),
    ];
    for (name, contents, _) in mail {
        office.put(name, contents);
    }
    let expected: Vec<_> = mail.iter().map(|(_, _, octets)| *octets).collect();
    for _ in 0..2 {
        let octets: Vec<_> = listing(&office.open()).into_iter().map(|(_, o)| o).collect();
        assert_eq!(octets, expected);
    }
}

#[test]
fn order_is_that_of_delivery_by_name() {
    let office = Office::new();
    for name in ["cur/20.M1.h:2,S", "new/3.M10P1.h", "new/3.M9P2.h", "new/x", "new/100.h"] {
        office.put(name, b"x\n");
    }
    assert_eq!(ids(&office.open()), ["x", "3.M9P2.h", "3.M10P1.h", "20.M1.h", "100.h"]);
}

#[test]
fn what_is_no_message_is_ignored() {
    let office = Office::new();
    office.put("new/.hidden", b"x\n");
    office.put("new/1.a", b"x\n");
    std::fs::create_dir(office.maildir().join("new/2.directory")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", office.maildir().join("cur/3.link:2,")).unwrap();
    std::os::unix::net::UnixListener::bind(office.maildir().join("cur/4.socket")).unwrap();
    for _ in 0..2 {
        assert_eq!(ids(&office.open()), ["1.a"]);
    }
}

/// A name that is a message for the session and a link when it is read.
#[test]
fn a_link_put_in_place_of_a_message_is_not_followed() {
    let office = Office::new();
    office.put("new/1.a", b"x\n");
    let mut session = office.open();
    office.remove("new/1.a");
    std::os::unix::fs::symlink("/etc/passwd", office.maildir().join("new/1.a")).unwrap();
    assert!(session.body(number(1)).is_err());
}

#[test]
fn s29_ids_and_order_survive_flags_and_moves_between_sessions() {
    let office = Office::new();
    let long = "4.".to_owned() + &"x".repeat(80);
    for name in ["1.a", "2.b", "3.c d", &long] {
        office.put(&format!("new/{name}"), name.as_bytes());
    }
    let before = rebuilt_ids(&office);
    assert_eq!(before[..2], ["1.a", "2.b"]);
    assert!(before[2..].iter().all(|id| id.len() == 32));
    office.rename("new/1.a", "cur/1.a:2,S");
    office.rename("new/3.c d", "cur/3.c d:2,");
    office.rename(&format!("new/{long}"), &format!("cur/{long}:2,RS"));
    assert_eq!(ids(&office.open()), before);
    office.rename("cur/1.a:2,S", "cur/1.a:2,FS");
    assert_eq!(rebuilt_ids(&office), before);
    office.put("new/0.first", b"later\n");
    assert_eq!(ids(&office.open())[1..], before);
    office.remove("new/2.b");
    assert_eq!(ids(&office.open())[2..], before[2..]);
}

#[test]
fn s34_a_session_follows_renames_and_misses_only_what_is_gone() {
    let office = Office::new();
    for at in 1..=6 {
        office.put(&format!("new/{at}.a"), format!("{at}\n").as_bytes());
    }
    let mut session = office.open();
    let before = listing(&session);
    office.rename("new/1.a", "cur/1.a:2,");
    office.rename("new/2.a", "cur/2.a:2,S");
    office.remove("new/3.a");
    office.put("new/0.late", b"late\n");
    for n in [1, 2, 4, 5, 6] {
        assert_eq!(body(&mut session, n), format!("{n}\n").into_bytes());
    }
    office.rename("cur/2.a:2,S", "cur/2.a:2,RS");
    assert_eq!(body(&mut session, 2), b"2\n");
    for _ in 0..2 {
        assert!(matches!(session.body(number(3)), Err(ReadError::Gone)));
    }
    assert_eq!(listing(&session), before, "the snapshot moved");
    // Marks: one renamed again, one gone, one untouched.
    office.rename("cur/1.a:2,", "cur/1.a:2,F");
    session.commit(&marks(&[1, 3, 5])).unwrap();
    assert_eq!(ids(&office.open()), ["0.late", "2.a", "4.a", "6.a"]);
}

/// A program that moves with link() and unlink() was stopped in between.
#[test]
fn one_file_under_two_names_is_one_message() {
    let office = Office::new();
    office.put("new/1.a", b"one\n");
    office.put("new/2.b", b"two\n");
    let (new, cur) = (office.maildir().join("new/1.a"), office.maildir().join("cur/1.a:2,S"));
    std::fs::hard_link(new, cur).unwrap();
    assert_eq!(rebuilt_ids(&office), ["1.a", "2.b"]);
    let session = office.open();
    session.commit(&marks(&[1])).unwrap();
    assert_eq!(ids(&office.open()), ["2.b"]);
    assert!(office.names("cur").is_empty());
}

#[test]
fn different_files_of_one_base_name_are_messages_of_their_own() {
    let office = Office::new();
    for (name, contents) in
        [("new/1.a", "one\n"), ("cur/1.a:2,S", "other\n"), ("cur/1.a:2,", "third\n")]
    {
        office.put(name, contents.as_bytes());
    }
    let before = rebuilt_ids(&office);
    assert_eq!(before.len(), 3);
    assert_eq!(before.iter().filter(|id| *id == "1.a").count(), 1);
    let contents = |n| body(&mut office.open(), n);
    let all: Vec<_> = (1..=3).map(contents).collect();
    // Still the same when the flags are exchanged.
    office.rename("cur/1.a:2,", "cur/1.a:2,T");
    office.rename("cur/1.a:2,S", "cur/1.a:2,");
    office.rename("cur/1.a:2,T", "new/1.a:2,T");
    office.rename("new/1.a", "cur/1.a:2,T");
    office.rename("new/1.a:2,T", "cur/1.a:2,S");
    assert_eq!(rebuilt_ids(&office), before);
    assert_eq!((1..=3).map(contents).collect::<Vec<_>>(), all);
    // Renamed during the session: the mark is on the file, not on the name.
    let mut session = office.open();
    for (from, to) in [("T", "FT"), ("S", "FS"), ("", "F")] {
        office.rename(&format!("cur/1.a:2,{from}"), &format!("cur/1.a:2,{to}"));
    }
    assert_eq!((1..=3).map(|n| body(&mut session, n)).collect::<Vec<_>>(), all);
    for (from, to) in [("FT", "T"), ("FS", "S"), ("F", "")] {
        office.rename(&format!("cur/1.a:2,{from}"), &format!("cur/1.a:2,{to}"));
    }
    session.commit(&marks(&[2])).unwrap();
    let left = office.messages();
    assert_eq!(left.len(), 2);
    assert!(!left.contains_key(&all[1]) && left.contains_key(&all[0]));
    assert_eq!(ids(&office.open()), [before[0].clone(), before[2].clone()]);
}

/// Goal: a second file of a base name changes nothing for the first, and an id that was deleted is
/// not given to it. Method: many contents, as their hashes decide.
#[test]
fn a_base_name_that_comes_again_takes_no_id() {
    for at in 0..8 {
        let office = Office::new();
        office.put("new/1.a", b"first\n");
        assert_eq!(ids(&office.open()), ["1.a"]);
        office.put("cur/1.a:2,S", format!("second {at}\n").as_bytes());
        let mut session = office.open();
        let first = (1..).zip(ids(&session)).find(|(_, id)| id == "1.a").unwrap().0;
        assert_eq!(body(&mut session, first), b"first\n");
        session.commit(&marks(&[first])).unwrap();
        let second = ids(&office.open());
        office.put("new/1.a", format!("third {at}\n").as_bytes());
        let both = ids(&office.open());
        assert!(both.len() == 2 && both.contains(&second[0]) && !both.contains(&"1.a".into()));
    }
}

/// Equal in name and contents, and yet two files: two messages.
#[test]
fn true_copies_have_distinct_ids() {
    let office = Office::new();
    for name in ["new/1.a", "cur/1.a:2,S", "cur/1.a:2,F"] {
        office.put(name, b"same\n");
    }
    let mut ids = rebuilt_ids(&office);
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_backup_restored_into_new_inodes_keeps_its_ids() {
    let office = Office::new();
    for (name, contents) in [("new/1.a", "one\n"), ("new/2.b", "two\n"), ("cur/2.b:2,S", "II\n")] {
        office.put(name, contents.as_bytes());
    }
    let before = rebuilt_ids(&office);
    for name in ["new/1.a", "new/2.b", "cur/2.b:2,S"] {
        office.restore(name);
    }
    assert_eq!(ids(&office.open()), before);
    // The same for the one that is left of two, while it has two names.
    let plain = before.iter().position(|id| id == "2.b").unwrap();
    let other = before.iter().position(|id| id.len() == 32).unwrap();
    office.open().commit(&marks(&[u32::try_from(plain).unwrap() + 1])).unwrap();
    assert_eq!(ids(&office.open()), ["1.a", &before[other]]);
    let left = if office.names("new").len() == 2 { "new/2.b" } else { "cur/2.b:2,S" };
    office.restore(left);
    let (from, to) = (office.maildir().join(left), office.maildir().join("cur/2.b:2,F"));
    std::fs::hard_link(from, to).unwrap();
    assert_eq!(ids(&office.open()), ["1.a", &before[other]]);
}

/// A program that writes a file anew to change it, and sets a flag: still the marked message.
#[test]
fn a_message_that_was_written_anew_is_removed_all_the_same() {
    let office = Office::new();
    office.put("new/1.a", b"one\n");
    office.put("new/2.b", b"two\n");
    let session = office.open();
    office.restore("new/1.a");
    office.rename("new/1.a", "cur/1.a:2,S");
    session.commit(&marks(&[1])).unwrap();
    assert_eq!(ids(&office.open()), ["2.b"]);
}

/// It sets a flag between our look for the message and our removal of it.
#[test]
fn a_message_that_is_renamed_under_the_hands_of_a_commit_is_removed() {
    let office = Office::new();
    office.put("new/1.a", b"one\n");
    office.put("new/2.b", b"two\n");
    let fs = FaultyFs::default();
    let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    office.rename("new/1.a", "cur/1.a:2,");
    let maildir = office.maildir();
    fs.plan(move |call| {
        if call.kind == Kind::Stat && call.path.ends_with("cur/1.a:2,") {
            std::fs::hard_link(&call.path, maildir.join("cur/1.a:2,S")).unwrap();
            std::fs::remove_file(&call.path).unwrap();
        }
        None
    });
    session.commit(&marks(&[1])).unwrap();
    assert_eq!(ids(&office.open()), ["2.b"]);
}

/// Mail that moves and arrives while the directories are being read.
#[test]
fn a_listing_that_was_overtaken_is_made_again() {
    let office = Office::new();
    office.put("new/1.a", b"one\n");
    office.put("new/2.b", b"two\n");
    for directory in ["new", "cur"] {
        let directory = std::fs::File::open(office.maildir().join(directory)).unwrap();
        directory.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    let fs = FaultyFs::default();
    let maildir = office.maildir();
    fs.plan(move |call| {
        if call.kind == Kind::ReadDir && call.of_kind == 1 {
            std::fs::hard_link(maildir.join("new/1.a"), maildir.join("cur/1.a:2,")).unwrap();
            std::fs::remove_file(maildir.join("new/1.a")).unwrap();
            std::fs::write(maildir.join("new/3.c"), "three\n").unwrap();
        }
        None
    });
    let session = office.spool(fs.host()).open(&fred(), "x").unwrap();
    assert_eq!(ids(&session), ["1.a", "2.b", "3.c"]);
    assert_eq!(fs.count(Kind::ReadDir), 4);
}

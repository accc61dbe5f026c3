//! The index: it spares work and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use restante_host::Host;
use restante_maildrop::ReadError;

use crate::faulty::{FaultyFs, Kind, LaterClock};
use crate::office::{Office, fred, listing, marks, number};

/// A host on which everything that was written is a while ago.
fn later(fs: &FaultyFs) -> Host {
    Host { clock: Arc::new(LaterClock(Duration::from_secs(10))), ..fs.host() }
}

fn fill(office: &Office) {
    for (name, contents) in [
        ("new/1.a", "one\n"),
        ("new/2.b c", "two\n"),
        ("cur/3.c:2,S", "three"),
        ("new/3.c", "another\n"),
    ] {
        office.put(name, contents.as_bytes());
    }
}

#[test]
fn an_unchanged_maildir_is_not_listed_again() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    let first = listing(&spool.open(&fred(), "x").unwrap());
    assert_eq!(fs.count(Kind::ReadDir), 2);
    for _ in 0..2 {
        fs.plan(|_| None);
        assert_eq!(listing(&spool.open(&fred(), "x").unwrap()), first);
        assert_eq!(fs.count(Kind::ReadDir), 0);
        let files = fs.calls().into_iter().filter(|call| call.path.ends_with("1.a")).count();
        assert_eq!(files, 0, "files were looked at");
        assert_eq!(fs.count(Kind::Create), 0, "the index was written again");
    }
}

#[test]
fn a_changed_maildir_costs_one_listing_and_only_new_names_are_looked_at() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    spool.open(&fred(), "x").unwrap();
    office.put("new/9.late", b"late\n");
    office.rename("new/1.a", "cur/1.a:2,S");
    fs.plan(|_| None);
    let seen = listing(&spool.open(&fred(), "x").unwrap());
    assert_eq!((seen.len(), seen[4].clone()), (5, ("9.late".to_owned(), 6)));
    assert_eq!(fs.count(Kind::ReadDir), 2);
    let is_message = |name: &str| {
        let name = name.to_owned();
        move |call: &crate::faulty::Call| call.path.to_string_lossy().contains(&name)
    };
    let calls = fs.calls();
    for (name, looked) in [("1.a", false), ("2.b", false), ("9.late", true)] {
        assert_eq!(calls.iter().any(is_message(name)), looked, "{name}");
    }
}

/// A change right after a listing may leave the time of the directory as it was.
#[test]
fn a_fresh_directory_is_not_trusted() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(fs.host());
    for _ in 0..2 {
        fs.plan(|_| None);
        spool.open(&fred(), "x").unwrap();
        assert_eq!(fs.count(Kind::ReadDir), 2);
    }
    assert_eq!(fs.count(Kind::Create), 0, "an index that says nothing new was written");
}

#[test]
fn a_directory_that_was_exchanged_is_listed() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    spool.open(&fred(), "x").unwrap();
    let modified = std::fs::metadata(office.maildir().join("new")).unwrap().modified().unwrap();
    office.put("new/9.late", b"late\n");
    let new = std::fs::File::open(office.maildir().join("new")).unwrap();
    new.set_modified(modified).unwrap();
    assert_eq!(listing(&spool.open(&fred(), "x").unwrap()).len(), 5);
}

/// Goal: the index is never the only copy of anything. Method: every byte of it changed, and
/// every length of it kept.
#[test]
fn damage_changes_neither_ids_nor_order_nor_sizes() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    let expected = listing(&spool.open(&fred(), "x").unwrap());
    let path = office.maildir().join("restante-index");
    let index = std::fs::read(&path).unwrap();
    let mut damaged = Vec::new();
    for at in 0..index.len() {
        damaged.push(index[..at].to_vec());
        let mut flipped = index.clone();
        flipped[at] ^= 1 << (at % 8);
        damaged.push(flipped);
    }
    for contents in damaged {
        std::fs::write(&path, &contents).unwrap();
        assert_eq!(listing(&spool.open(&fred(), "x").unwrap()), expected);
        assert_eq!(std::fs::read(&path).unwrap().len(), index.len(), "it was not rebuilt");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(listing(&spool.open(&fred(), "x").unwrap()), expected);
}

#[test]
fn a_commit_shows_although_the_index_knew_the_messages() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    let before = listing(&spool.open(&fred(), "x").unwrap());
    spool.open(&fred(), "x").unwrap().commit(&marks(&[1, 3])).unwrap();
    let after = listing(&spool.open(&fred(), "x").unwrap());
    assert_eq!(after, [before[1].clone(), before[3].clone()]);
}

/// Goal: a file that another program changes in place is neither sent under a size that is not its
/// own nor lost for good. Method: sessions before and after, with an index that is current.
#[test]
fn s24_a_message_that_changed_its_size_is_refused_once_and_listed_anew() {
    for changed in ["o\n", "one and a half\nand more\n"] {
        let office = Office::new();
        fill(&office);
        let fs = FaultyFs::default();
        let spool = office.spool(later(&fs));
        let before = listing(&spool.open(&fred(), "x").unwrap());
        office.put("new/1.a", changed.as_bytes());
        office.put("new/2.b c", b"changed");
        let mut session = spool.open(&fred(), "x").unwrap();
        assert_eq!(listing(&session), before, "it was measured without a reason");
        for number in [number(1), number(2), number(1)] {
            let body = session.body(number);
            assert!(matches!(body, Err(ReadError::Changed)), "{number:?} is {body:?}");
        }
        session.body(number(3)).unwrap();
        drop(session);
        let mut session = spool.open(&fred(), "x").unwrap();
        let after = listing(&session);
        let ids = |listing: &[(String, u64)]| listing.iter().map(|(id, _)| id.clone()).collect();
        let (old, new): (Vec<_>, Vec<_>) = (ids(&before), ids(&after));
        assert_eq!(old, new, "a change of the contents changed an id");
        let octets = changed.replace('\n', "\r\n").len() as u64;
        assert_eq!((after[0].1, after[1].1), (octets, 9));
        for number in session.snapshot().clone().numbers() {
            session.body(number).unwrap();
        }
    }
}

/// An index as the first version wrote it.
fn first_version(index: &[u8]) -> Vec<u8> {
    let mut reader = &index[8 + 8 + 48..index.len() - 4];
    let mut old = [b"RSTIDX\x00\x01", &index[8..8 + 8 + 48]].concat();
    while !reader.is_empty() {
        let bits = reader[0] & 7;
        old.push(bits);
        old.extend_from_slice(&reader[2..10]);
        old.extend_from_slice(&reader[18..26]);
        reader = &reader[26..];
        for _ in 0..=usize::from(bits & 4 != 0) {
            let len = 2 + usize::from(u16::from_le_bytes([reader[0], reader[1]]));
            old.extend_from_slice(&reader[..len]);
            reader = &reader[len..];
        }
    }
    let checksum = crc32c::crc32c(&old);
    old.extend_from_slice(&checksum.to_le_bytes());
    old
}

#[test]
fn an_index_of_the_first_version_spares_reading_and_is_written_anew() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs));
    let expected = listing(&spool.open(&fred(), "x").unwrap());
    let path = office.maildir().join("restante-index");
    let second = std::fs::read(&path).unwrap();
    std::fs::write(&path, first_version(&second)).unwrap();
    fs.plan(|_| None);
    assert_eq!(listing(&spool.open(&fred(), "x").unwrap()), expected);
    let read = |call: &crate::faulty::Call| {
        call.kind == Kind::Read && call.path.to_string_lossy().contains("1.a")
    };
    assert!(!fs.calls().iter().any(read), "a message was read");
    assert_eq!(std::fs::read(&path).unwrap()[..8], second[..8]);
    fs.plan(|_| None);
    assert_eq!(listing(&spool.open(&fred(), "x").unwrap()), expected);
    assert_eq!(fs.count(Kind::ReadDir), 0);
}

/// Goal: sizes with added blank lines are learnt by reading each header once, whatever names tell
/// and whenever it is set. Method: sessions with and without the setting on one Maildir.
#[test]
fn s24_blank_lines_are_counted_and_headers_read_once() {
    let office = Office::new();
    for (name, contents) in [
        ("new/1.M1P1Q1R1.h,S=5,W=6", "A: b\n".to_owned()),
        ("new/2.M1P1Q1R1.h,S=6,W=8", "A: b\n\n".to_owned()),
        ("new/3.none", "A: b".to_owned()),
        ("new/4.empty", String::new()),
        ("new/5.first", "\nbody".to_owned()),
        ("new/6.crlf", "A: b\r\n\r\nbody\r\n".to_owned()),
        ("new/7.long", "A: b\n".repeat(20_000)),
        ("new/8.late", "A: b\n".repeat(20_000) + "\n"),
    ] {
        office.put(name, contents.as_bytes());
    }
    let fs = FaultyFs::default();
    let plain = office.spool(later(&fs));
    let added = office.spool(later(&fs)).with_blank_lines(true);
    let octets = |spool: &restante_spool::Spool| {
        let session = spool.open(&fred(), "x").unwrap();
        listing(&session).into_iter().map(|(_, octets)| octets).collect::<Vec<_>>()
    };
    let sizes = [6, 8, 6, 0, 8, 14, 120_000, 120_002];
    let with_lines = [8, 8, 8, 2, 8, 14, 120_002, 120_002];
    let reads = |fs: &FaultyFs| {
        let reads = |call: &&crate::faulty::Call| {
            call.kind == Kind::Read && call.path.to_string_lossy().contains("new/")
        };
        fs.calls().iter().filter(reads).count()
    };
    assert_eq!(octets(&plain), sizes);
    fs.plan(|_| None);
    assert_eq!(octets(&added), with_lines);
    assert!(reads(&fs) >= 8);
    fs.plan(|_| None);
    for _ in 0..2 {
        assert_eq!(octets(&added), with_lines);
        assert_eq!(octets(&plain), sizes);
    }
    office.put("new/9.late", b"X: y\n");
    assert_eq!(octets(&added).last(), Some(&8));
    assert!(reads(&fs) <= 4, "a header was read again");
    let mut session = added.open(&fred(), "x").unwrap();
    for (at, lacks) in (1..).zip([true, false, true, true, false, false, true, false, true]) {
        assert_eq!(session.body(number(at)).unwrap().needs_blank_line(), lacks, "message {at}");
    }
    // A header that changed in place is looked at anew.
    drop(session);
    office.put("new/3.none", b"A: b\n\nnow with a body\n");
    assert!(added.open(&fred(), "x").unwrap().body(number(3)).is_err());
    assert_eq!(octets(&added)[2], 25);
}

//! Deliveries: what reaches the disk, under which names, in which order.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use bytes::Bytes;
use restante_host::Host;
use restante_maildrop::{Access, DeliverError, OpenError, Owner, Store};
use restante_spool::{Layout, MaildirStore, Spool};

use crate::faulty::{FaultyFs, Kind, StandingClock, ZeroRng};
use crate::office::{Office, block_on, body, fred, ids, names};

#[test]
fn s25_line_ends_are_lf_on_the_disk_and_the_name_tells_both_sizes() {
    let office = Office::new();
    let mut incoming = office.spool(Host::real()).deliver(&fred()).unwrap();
    for chunk in [&b"A: b\r"[..], b"\n\r", b"\nbare\rcr\n", b"end\r\r\n"] {
        incoming.write(chunk).unwrap();
    }
    let receipt = incoming.finish().unwrap();
    let disk = b"A: b\n\nbare\rcr\nend\r\r\n";
    assert_eq!(std::fs::read(&office.names("new")[0]).unwrap(), disk);
    assert!(receipt.name.ends_with(&format!(",S={},W={}", disk.len(), disk.len() + 3)));
    assert_eq!(receipt.octets.to_u64(), disk.len() as u64 + 3);
    let mut session = office.open();
    assert_eq!(ids(&session), [receipt.name.as_str()]);
    assert_eq!(receipt.unique_id.unwrap().as_str(), receipt.name);
    assert_eq!(body(&mut session, 1), disk);
    assert!(office.names("tmp").is_empty());
}

#[test]
fn writes_are_gathered_and_bounded() {
    let office = Office::new();
    let fs = FaultyFs::default();
    let mut incoming = office.spool(fs.host()).deliver(&fred()).unwrap();
    let line = b"0123456789012345678901234567890123456789012345678\n";
    for _ in 0..20_000 {
        incoming.write(line).unwrap();
    }
    incoming.write(&line.repeat(20_000)).unwrap();
    incoming.finish().unwrap();
    let octets = 40_000 * line.len();
    assert!(fs.count(Kind::Write) <= octets / (64 * 1024) + 3);
    assert!(fs.count(Kind::Write) >= octets / (128 * 1024));
    assert_eq!(std::fs::read(&office.names("new")[0]).unwrap(), line.repeat(40_000));
}

/// Two processes that cannot tell each other by time, count or chance.
#[test]
fn a_taken_name_is_left_alone_and_another_is_found() {
    let office = Office::new();
    let host = Host { clock: Arc::new(StandingClock), rng: Arc::new(ZeroRng), ..Host::real() };
    let (one, two) = (office.spool(host.clone()), office.spool(host));
    let mut incomings = Vec::new();
    for (spool, message) in [(&one, b"1\n"), (&two, b"2\n"), (&one, b"3\n"), (&two, b"4\n")] {
        let mut incoming = spool.deliver(&fred()).unwrap();
        incoming.write(message).unwrap();
        incomings.push(incoming);
    }
    for incoming in incomings {
        incoming.finish().unwrap();
    }
    // And one after the other, when nothing is left in tmp/ to collide with.
    for spool in [&office.spool(host_again()), &office.spool(host_again())] {
        let mut incoming = spool.deliver(&fred()).unwrap();
        incoming.write(b"5\n").unwrap();
        incoming.finish().unwrap();
    }
    assert_eq!(office.messages().values().sum::<usize>(), 6);
    assert_eq!(office.messages().len(), 5);
}

fn host_again() -> Host {
    Host { clock: Arc::new(StandingClock), rng: Arc::new(ZeroRng), ..Host::real() }
}

#[test]
fn a_missing_maildir_is_created_for_its_owner_alone_and_synced_first() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let layout = Layout::parse("{data}/mail/{user}/Maildir", &data).unwrap();
    let fs = FaultyFs::default();
    let spool = Spool::new(fs.host(), layout.clone());
    let mut incoming = spool.deliver(&fred()).unwrap();
    incoming.write(b"x\n").unwrap();
    incoming.finish().unwrap();
    let calls = fs.calls();
    let published = calls.iter().position(|call| call.kind == Kind::Rename).unwrap();
    for synced in ["", "data", "data/mail", "data/mail/fred", "data/mail/fred/Maildir"] {
        let path = folder.path().join(synced);
        let synced = calls.iter().position(|c| c.kind == Kind::SyncDir && c.path == path);
        assert!(synced.is_some_and(|at| at < published), "{path:?} is not synced first");
    }
    for private in ["", "tmp", "new", "cur"] {
        let path = data.join("mail/fred/Maildir").join(private);
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let message = &names(&data.join("mail/fred/Maildir/new"))[0];
    assert_eq!(std::fs::metadata(message).unwrap().permissions().mode() & 0o777, 0o600);
    // What exists for good is not synced again, and what was removed meanwhile is made again.
    fs.plan(|_| None);
    spool.deliver(&fred()).unwrap().finish().unwrap();
    assert_eq!(fs.count(Kind::SyncDir), 1);
    std::fs::remove_dir_all(data.join("mail/fred")).unwrap();
    spool.deliver(&fred()).unwrap().finish().unwrap();
    assert_eq!(names(&data.join("mail/fred/Maildir/new")).len(), 1);
}

/// Another process may have created it a moment ago.
#[test]
fn a_maildir_that_exists_is_synced_once_all_the_same() {
    let office = Office::new();
    let fs = FaultyFs::default();
    office.spool(fs.host()).deliver(&fred()).unwrap();
    let synced: Vec<_> =
        fs.calls().into_iter().filter(|c| c.kind == Kind::SyncDir).map(|c| c.path).collect();
    let mail = office.folder.path().join("mail");
    assert_eq!(synced, [mail.join("fred/Maildir"), mail.join("fred"), mail]);
}

/// Goal: where a rename takes two steps and only the first is done, the message has come, once:
/// who delivers it must not try again. Method: the second step of each rename fails.
#[test]
fn r39_a_delivery_whose_second_name_stays_is_a_delivery() {
    let office = Office::new();
    let fs = FaultyFs::default();
    fs.plan(|call| (call.kind == Kind::Rename).then_some(std::io::ErrorKind::Other));
    fs.link_when_renames_fail();
    let mut incoming = office.spool(fs.host()).deliver(&fred()).unwrap();
    incoming.write(b"once\n").unwrap();
    let receipt = incoming.finish().unwrap();
    assert_eq!((fs.failed(), office.names("new").len()), (1, 1));
    assert!(office.names("new")[0].ends_with(&receipt.name));
    assert!(office.names("tmp").is_empty(), "a second try removes the first name");
    // If that is not to be had either, it is a waste and no second message.
    fs.plan(|call| {
        let fails = matches!(call.kind, Kind::Rename | Kind::Unlink);
        fails.then_some(std::io::ErrorKind::Other)
    });
    fs.link_when_renames_fail();
    let mut incoming = office.spool(fs.host()).deliver(&fred()).unwrap();
    incoming.write(b"twice\n").unwrap();
    incoming.finish().unwrap();
    assert_eq!((office.names("new").len(), office.names("tmp").len()), (2, 1));
    assert_eq!(ids(&office.open()).len(), 2);
}

#[test]
fn what_a_crash_left_in_tmp_is_removed_when_nobody_can_be_writing_it_any_more() {
    let office = Office::new();
    for (name, hours) in [("fresh", 35), ("stale", 37), (".hidden", 37)] {
        office.put(&format!("tmp/{name}"), b"half");
        let file = std::fs::File::open(office.maildir().join("tmp").join(name)).unwrap();
        let age = std::time::Duration::from_secs(hours * 3600);
        let modified = file.metadata().unwrap().modified().unwrap() - age;
        file.set_modified(modified).unwrap();
    }
    std::fs::create_dir(office.maildir().join("tmp/directory")).unwrap();
    drop(office.spool(Host::real()).deliver(&fred()).unwrap());
    let left = ["directory", "fresh"].map(|name| office.maildir().join("tmp").join(name));
    assert_eq!(office.names("tmp"), left);
}

#[test]
fn opening_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::parse("{data}/{user}", folder.path()).unwrap();
    let spool = Spool::new(Host::real(), layout);
    assert!(spool.open(&fred(), "x").unwrap().snapshot().is_empty());
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_owner_without_a_place_is_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::parse("{data}/{domain}/{local}", folder.path()).unwrap();
    let store = MaildirStore::new(Host::real(), layout);
    block_on(async {
        for name in ["fred", "fred@..", "fred@"] {
            let owner = Owner::new(name).unwrap();
            let delivered = store.deliver(&owner).await;
            assert!(matches!(delivered, Err(DeliverError::Permanent(_))), "{name}");
            let opened = store.open(&owner, Access::Exclusive, "x").await;
            assert!(matches!(opened, Err(OpenError::Permanent(_))), "{name}");
        }
    });
    assert!(names(folder.path()).is_empty());
}

/// Nobody waits for the end of a write or of a finish any more.
#[test]
fn a_dropped_write_leaves_nothing() {
    let office = Office::new();
    let store = MaildirStore::new(Host::real(), office.layout());
    block_on(async {
        let mut delivery = store.deliver(&fred()).await.unwrap();
        // Polled never: the bytes were not taken.
        drop(delivery.write(Bytes::from(vec![b'x'; 1 << 20])));
        delivery.write(Bytes::from_static(b"y\n")).await.unwrap();
        drop(delivery);
    });
    assert!(office.names("tmp").is_empty() && office.names("new").is_empty());
}

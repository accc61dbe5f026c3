//! A collector's Maildir: each key at most once.

use bytes::Bytes;
use restante_host::Host;
use restante_maildrop::{Arrival, Delivery, Destination, Fate, MessageKey, Receipt};
use restante_spool::MaildirDestination;

use crate::faulty::{FaultyFs, Kind};
use crate::office::{Office, block_on};

fn key(text: &str) -> MessageKey {
    MessageKey::new(text).unwrap()
}

async fn new(destination: &MaildirDestination, text: &str) -> Box<dyn Delivery> {
    match destination.begin(&key(text)).await.unwrap() {
        Arrival::New(delivery) => delivery,
        Arrival::Already(receipt) => panic!("it is there: {receipt:?}"),
    }
}

async fn already(destination: &MaildirDestination, text: &str) -> Receipt {
    match destination.begin(&key(text)).await.unwrap() {
        Arrival::New(_) => panic!("it is not there"),
        Arrival::Already(receipt) => receipt,
    }
}

#[test]
fn a_key_is_stored_once_whatever_its_file_is_called_now() {
    let office = Office::new();
    office.put("new/1.Mx.host", b"foreign\n");
    block_on(async {
        let destination = MaildirDestination::open(Host::real(), &office.maildir());
        let mut delivery = new(&destination, "0123abcd").await;
        delivery.write(Bytes::from_static(b"A: b\r\n\r\n.\r\n")).await.unwrap();
        let receipt = delivery.finish().await.unwrap();
        assert_eq!(receipt.octets.to_u64(), 11);
        assert_eq!(already(&destination, "0123abcd").await, receipt);
        // The owner reads the message; the collector starts again.
        office.rename(&format!("new/{}", receipt.name), &format!("cur/{}:2,FS", receipt.name));
        let destination = MaildirDestination::open(Host::real(), &office.maildir());
        assert_eq!(already(&destination, "0123abcd").await, receipt);
        new(&destination, "0123abc").await;
        new(&destination, "0123ABCD").await;
    });
    assert_eq!(office.messages().len(), 2);
    assert!(office.names("tmp").is_empty());
}

#[test]
fn a_key_is_free_again_when_its_delivery_is_dropped_and_taken_while_it_lasts() {
    let office = Office::new();
    block_on(async {
        let destination = MaildirDestination::open(Host::real(), &office.maildir());
        let delivery = new(&destination, "k1").await;
        assert!(destination.begin(&key("k1")).await.is_err());
        new(&destination, "k2").await;
        drop(delivery);
        new(&destination, "k1").await.finish().await.unwrap();
        already(&destination, "k1").await;
    });
}

#[test]
fn a_missing_maildir_is_created() {
    let office = Office::new();
    let path = office.folder.path().join("a/b/Maildir");
    block_on(async {
        let destination = MaildirDestination::open(Host::real(), &path);
        new(&destination, "k1").await.finish().await.unwrap();
        let destination = MaildirDestination::open(Host::real(), &path);
        already(&destination, "k1").await;
    });
}

/// A crash may have left it visible and not durable.
#[test]
fn what_cannot_be_synced_is_not_called_stored() {
    let office = Office::new();
    office.put("new/1.M2Kk1.host,S=1,W=3", b"x");
    let fs = FaultyFs::default();
    fs.plan(|call| (call.kind == Kind::SyncDir).then_some(std::io::ErrorKind::Other));
    block_on(async {
        let destination = MaildirDestination::open(fs.host(), &office.maildir());
        assert!(destination.begin(&key("k1")).await.is_err());
        fs.plan(|_| None);
        assert_eq!(already(&destination, "k1").await.octets.to_u64(), 3);
    });
}

/// Goal: a collector that crashed anywhere stores exactly one copy when it runs again.
#[test]
fn a_crash_at_every_call_leaves_one_copy() {
    for at in 0.. {
        let office = Office::new();
        let fs = FaultyFs::default();
        fs.crash_at(at);
        let deliver = |host: Host| {
            block_on(async {
                let destination = MaildirDestination::open(host, &office.maildir());
                match destination.begin(&key("k1")).await? {
                    Arrival::Already(receipt) => Ok(receipt),
                    Arrival::New(mut delivery) => {
                        delivery.write(Bytes::from_static(b"whole\n")).await?;
                        delivery.finish().await
                    }
                }
            })
        };
        let crashed = deliver(fs.host());
        let receipt = deliver(Host::real()).unwrap();
        assert_eq!(office.messages().into_iter().collect::<Vec<_>>(), [(b"whole\n".into(), 1)]);
        if let Ok(crashed) = crashed {
            assert_eq!(crashed, receipt);
        }
        if fs.failed() == 0 {
            assert!(at > 5, "the crash was never reached");
            break;
        }
    }
}

/// Goal: what its owner did with a message is told apart, wherever a mail program moved it, and
/// nothing is told of a Maildir that is not there or cannot be read.
#[test]
fn what_became_of_a_message_is_told_whatever_its_file_is_called_and_wherever_it_is() {
    let office = Office::new();
    let destination = MaildirDestination::open(Host::real(), &office.maildir());
    let fates = |names: &[String]| {
        let told = block_on(destination.fates(names.to_vec()));
        told.map_err(|error| error.to_string())
    };
    let missing = MaildirDestination::open(Host::real(), &office.maildir().join("missing"));
    assert!(matches!(block_on(missing.fates(vec!["1.M1Ka1.h".into()])), Ok(None)));
    for folder in ["new", "cur", ".Lists/cur", ".Lists/new", ".INBOX.Trash/cur", "Old/cur"] {
        std::fs::create_dir_all(office.maildir().join(folder)).unwrap();
    }
    office.put(".Lists/maildirfolder", b"");
    office.put("restante-index", b"");
    let name = |n: u32| format!("1.M1Ka{n}.h,S=1,W=1");
    let names: Vec<_> = (1..=8).map(name).collect();
    office.put(&format!("new/{}", name(1)), b"x");
    office.put(&format!("cur/{}:2,FS", name(2)), b"x");
    office.put(&format!("cur/{}:2,ST", name(3)), b"x");
    office.put(&format!(".Lists/cur/{}:2,S", name(4)), b"x");
    office.put(&format!(".INBOX.Trash/cur/{}:2,S", name(5)), b"x");
    // Some program took the sizes out of the name.
    office.put("Old/cur/1.M1Ka6.h:2,", b"x");
    // A copy in the trash of one that is kept.
    office.put(&format!("cur/{}:2,", name(7)), b"x");
    office.put(&format!(".INBOX.Trash/cur/{}:2,S", name(7)), b"x");
    let told = [
        Fate::Kept,
        Fate::Kept,
        Fate::Discarded,
        Fate::Kept,
        Fate::Discarded,
        Fate::Kept,
        Fate::Kept,
        Fate::Absent,
    ];
    assert_eq!(fates(&names), Ok(Some(told.to_vec())));
    // A folder that cannot be followed to its end is no empty one.
    std::os::unix::fs::symlink("loop", office.maildir().join("loop")).unwrap();
    assert!(fates(&names).is_err());
}

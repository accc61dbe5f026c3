//! A collector's Maildir: each key at most once.

use bytes::Bytes;
use restante_host::Host;
use restante_maildrop::{Arrival, Delivery, Destination, MessageKey, Receipt};
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

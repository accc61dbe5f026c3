//! Sizes of surrogates: learnt once, and never in the way.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use restante_host::Host;
use restante_proto::surrogate::Surrogate;
use restante_spool::Session;

use crate::faulty::{FaultyFs, Kind, LaterClock};
use crate::office::{Office, body, fred};

const INTERNATIONAL: &str = "Subject: \u{e4}\nTo: \u{e4}@b\n\nx\n";

fn fill(office: &Office) {
    office.put("new/1.a", INTERNATIONAL.as_bytes());
    office.put("new/2.b", "Subject: a\n\n\u{e4}\n".as_bytes());
    office.put("cur/3.c,S=16,W=20:2,S", b"Subject: \xe4\n\nx\n.\n");
    office.put("new/4.d,S=16,W=20", "Subject: \u{e4}\n\nx\n\n".as_bytes());
}

/// A host on which everything that was written is a while ago.
fn later(fs: &FaultyFs) -> Host {
    Host { clock: Arc::new(LaterClock(Duration::from_secs(10))), ..fs.host() }
}

/// The sizes of the surrogates, where there are any.
fn sizes(session: &Session) -> Vec<Option<u64>> {
    let snapshot = session.snapshot().clone().in_surrogates();
    let size = |n| snapshot.octets(n).unwrap().to_u64();
    let shown = |n| snapshot.has_surrogate(n).then(|| size(n));
    snapshot.numbers().map(shown).collect()
}

/// The octets of a surrogate as it is sent.
fn sent(message: &[u8]) -> u64 {
    let (mut surrogate, mut out) = (Surrogate::default(), Vec::new());
    surrogate.push(message, &mut out);
    surrogate.finish(&mut out);
    let bare = out.iter().filter(|octet| **octet == b'\n').count()
        - out.windows(2).filter(|pair| pair == b"\r\n").count();
    (out.len() + bare) as u64
}

#[test]
fn s81_sizes_of_surrogates_are_what_is_sent_and_files_are_read_once() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    // What a session learnt that did not care for surrogates says nothing of them.
    let plain = office.spool(later(&fs)).open(&fred(), "x").unwrap();
    assert_eq!(sizes(&plain), [None; 4]);
    drop(plain);
    let spool = office.spool(later(&fs)).with_surrogates();
    let mut session = spool.open(&fred(), "x").unwrap();
    let seen = sizes(&session);
    for (n, size) in (1..).zip(&seen) {
        let message = body(&mut session, n);
        assert_eq!(*size, [1, 4].contains(&n).then(|| sent(&message)), "message {n}");
    }
    drop(session);
    for surrogates in [true, false, true] {
        fs.plan(|_| None);
        let spool = office.spool(later(&fs));
        let spool = if surrogates { spool.with_surrogates() } else { spool };
        assert_eq!(sizes(&spool.open(&fred(), "x").unwrap()), seen);
        assert_eq!(fs.count(Kind::ReadDir), 0, "the Maildir was listed");
        assert_eq!(fs.count(Kind::Create), 0, "the index was written again");
        let read = fs.calls().into_iter().any(|call| call.path.ends_with("1.a"));
        assert!(!read, "files were read again");
    }
}

#[test]
fn s81_a_late_message_is_learnt_and_a_renamed_one_is_known() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    let spool = office.spool(later(&fs)).with_surrogates();
    drop(spool.open(&fred(), "x").unwrap());
    office.rename("new/1.a", "cur/1.a:2,S");
    office.put("new/5.e", INTERNATIONAL.as_bytes());
    fs.plan(|_| None);
    let session = spool.open(&fred(), "x").unwrap();
    let size = Some(sent(INTERNATIONAL.as_bytes()));
    assert_eq!((sizes(&session)[0], sizes(&session)[4]), (size, size));
    let read = |name| fs.calls().into_iter().any(|call| call.path.ends_with(name));
    assert!(read("5.e") && !read("1.a:2,S"));
}

/// Goal: a file that cannot be read now is served as it is, and learnt the next time.
#[test]
fn s81_what_cannot_be_read_is_as_if_it_had_no_surrogate() {
    let office = Office::new();
    fill(&office);
    let fs = FaultyFs::default();
    drop(office.spool(later(&fs)).open(&fred(), "x").unwrap());
    fs.plan(|call| {
        (call.kind == Kind::Open && call.path.ends_with("1.a"))
            .then_some(ErrorKind::PermissionDenied)
    });
    let spool = office.spool(later(&fs)).with_surrogates();
    let session = spool.open(&fred(), "x").unwrap();
    assert_eq!(sizes(&session)[0], None);
    assert!(sizes(&session)[3].is_some());
    drop(session);
    fs.plan(|_| None);
    let session = spool.open(&fred(), "x").unwrap();
    assert!(sizes(&session)[0].is_some());
}

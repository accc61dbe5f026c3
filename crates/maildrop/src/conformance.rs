//! The checks every store must pass, as RFC 1939 and the traits of this crate demand.
//!
//! In: a store, empty for the owners named here. Out: nothing, or a panic that names the rule that
//! was broken. Each rule uses an owner of its own, so the rules do not see each other's mail.
//! Needs no particular runtime; a store that does is checked inside its own.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a panic is how a check reports; the module documentation says so once"
)]

use std::collections::BTreeSet;
use std::time::SystemTime;

use bytes::Bytes;
use restante_proto::{Marks, MessageNumber, Snapshot, UniqueId};

use crate::{Access, Body, Maildrop, OpenError, Owner, ReadError, Receipt, Store};

/// Runs every rule.
pub async fn check(store: &dyn Store) {
    an_owner_without_mail_has_an_empty_maildrop(store).await;
    bodies_and_sizes_are_exact(store).await;
    chunking_does_not_matter(store).await;
    numbers_and_unique_ids_stay(store).await;
    unique_ids_are_never_reused(store).await;
    the_lock_is_exclusive_and_names_its_holder(store).await;
    sharing_sessions_keep_their_snapshots_and_remove_only_what_they_marked(store).await;
    dropping_a_maildrop_removes_nothing(store).await;
    a_commit_removes_exactly_what_is_marked(store).await;
    a_commit_without_marks_frees_the_lock(store).await;
    an_unfinished_delivery_is_invisible(store).await;
    mail_that_arrives_during_a_session_waits_for_the_next(store).await;
    a_body_outlives_its_removal(store).await;
    numbers_beyond_the_maildrop_are_gone(store).await;
    nothing_arrived_before_there_was_mail(store).await;
    maildrops_are_separate(store).await;
}

/// What is asked for by age is about to be deleted: no message may be older than it is.
pub async fn nothing_arrived_before_there_was_mail(store: &dyn Store) {
    let owner = owner("age");
    deliver_numbered(store, &owner, 3).await;
    let mut maildrop = open(store, &owner).await;
    let old = maildrop.arrived_before(SystemTime::UNIX_EPOCH).await;
    assert!(old.expect("ages can be told").is_empty(), "a message from before 1970");
}

/// A user who never got mail can log in.
pub async fn an_owner_without_mail_has_an_empty_maildrop(store: &dyn Store) {
    let owner = owner("nothing-yet");
    let maildrop = open(store, &owner).await;
    assert!(maildrop.snapshot().is_empty(), "a new maildrop holds nothing");
    maildrop.commit(Marks::default()).await.expect("an empty commit works");
    assert!(open(store, &owner).await.snapshot().is_empty());
}

/// RFC 1939 section 11: the size is what `RETR` sends, less stuffing and terminator; and the
/// store gives back what it was given, but for the form of the line ends.
pub async fn bodies_and_sizes_are_exact(store: &dyn Store) {
    let owner = owner("sizes");
    for message in ODD_MESSAGES {
        let receipt = deliver(store, &owner, &[message]).await;
        let expected = canonical(message).len() as u64;
        assert_eq!(receipt.octets.to_u64(), expected, "receipt of {message:?}");
    }
    let mut maildrop = open(store, &owner).await;
    let mut seen = Vec::new();
    let snapshot = maildrop.snapshot().clone();
    let mut total = 0;
    for number in snapshot.numbers() {
        let body = canonical(&read(&mut *maildrop, number).await);
        let octets = snapshot.octets(number).expect("a listed message has a size").to_u64();
        assert_eq!(octets, body.len() as u64, "size of {body:?}");
        total += octets;
        seen.push(body);
    }
    assert_eq!(snapshot.total().to_u64(), total);
    let mut expected: Vec<_> = ODD_MESSAGES.iter().map(|message| canonical(message)).collect();
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}

/// A delivery may come in any chunks, also cut inside a CRLF.
pub async fn chunking_does_not_matter(store: &dyn Store) {
    let owner = owner("chunks");
    let message = b"A: b\r\n\r\n\r\r\n.\r\nlast\r";
    let whole = deliver(store, &owner, &[message]).await;
    let single: Vec<&[u8]> = message.chunks(1).collect();
    assert_eq!(deliver(store, &owner, &single).await.octets, whole.octets);
    let large = b"0123456789abcde\n".repeat(20_000);
    let thirds: Vec<&[u8]> = large.chunks(large.len() / 3 + 1).collect();
    deliver(store, &owner, &thirds).await;
    let mut maildrop = open(store, &owner).await;
    let mut bodies = Vec::new();
    for number in maildrop.snapshot().clone().numbers() {
        bodies.push(canonical(&read(&mut *maildrop, number).await));
    }
    bodies.sort();
    let mut expected = [canonical(message), canonical(message), canonical(&large)];
    expected.sort();
    assert!(bodies == expected, "a body changed with its chunking");
}

/// Nothing changes between sessions that change nothing.
pub async fn numbers_and_unique_ids_stay(store: &dyn Store) {
    let owner = owner("stable");
    let receipts = deliver_numbered(store, &owner, 5).await;
    let first = listing(open(store, &owner).await.snapshot());
    let ids: BTreeSet<_> = first.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids.len(), 5, "unique-ids are distinct");
    for id in &ids {
        assert!(UniqueId::new(id).is_some(), "{id:?} is not a legal unique-id");
    }
    let promised: BTreeSet<_> =
        receipts.into_iter().filter_map(|receipt| receipt.unique_id).collect();
    assert!(promised.iter().all(|id| ids.contains(id.as_str())), "a receipt named another id");
    for _ in 0..3 {
        assert_eq!(listing(open(store, &owner).await.snapshot()), first);
    }
    let mut maildrop = open(store, &owner).await;
    let second = number(2);
    let body = read(&mut *maildrop, second).await;
    maildrop.commit(marks(&first, &[1])).await.expect("the commit works");
    let mut maildrop = open(store, &owner).await;
    assert_eq!(listing(maildrop.snapshot()), first.get(1..).unwrap_or_default());
    assert_eq!(read(&mut *maildrop, number(1)).await, body, "number 2 became number 1");
}

/// RFC 1939 section 7: an id is not used again, whatever was deleted and delivered since.
pub async fn unique_ids_are_never_reused(store: &dyn Store) {
    let owner = owner("reuse");
    let mut used = BTreeSet::new();
    for _ in 0..4 {
        deliver_numbered(store, &owner, 3).await;
        let maildrop = open(store, &owner).await;
        let messages = listing(maildrop.snapshot());
        for (id, _) in &messages {
            assert!(used.insert(id.clone()), "{id:?} was used before");
        }
        maildrop.commit(marks(&messages, &[1, 2, 3])).await.expect("the commit works");
    }
}

/// RFC 1939 section 4: one session at a time.
pub async fn the_lock_is_exclusive_and_names_its_holder(store: &dyn Store) {
    let owner = owner("lock");
    deliver_numbered(store, &owner, 1).await;
    let first = store.open(&owner, Access::Exclusive, "the first session").await;
    let first = first.expect("a free maildrop opens");
    for _ in 0..2 {
        match store.open(&owner, Access::Exclusive, "the second session").await {
            Err(OpenError::InUse { holder: Some(holder) }) => {
                assert!(holder.contains("the first session"), "the holder is {holder:?}");
            }
            other => panic!("a second session got {other:?}"),
        }
    }
    drop(first);
    let second = store.open(&owner, Access::Exclusive, "the second session").await;
    second.expect("the lock is free once its holder is gone");
}

/// Where the lock is not wanted: what one session removes is an error to the others, moves no
/// number, and takes nothing else with it; and nobody has the maildrop alone meanwhile.
pub async fn sharing_sessions_keep_their_snapshots_and_remove_only_what_they_marked(
    store: &dyn Store,
) {
    let owner = owner("shared");
    deliver_numbered(store, &owner, 5).await;
    let first = share(store, &owner).await;
    let mut second = share(store, &owner).await;
    let exclusive = store.open(&owner, Access::Exclusive, "alone").await;
    assert!(matches!(exclusive, Err(OpenError::InUse { .. })), "alone among others");
    let before = listing(first.snapshot());
    assert_eq!(listing(second.snapshot()), before);
    first.commit(marks(&before, &[1, 3])).await.expect("the commit works");
    deliver_numbered(store, &owner, 1).await;
    let mut third = share(store, &owner).await;
    assert_eq!(listing(second.snapshot()), before, "a snapshot changed");
    for gone in [1, 3] {
        let body = second.body(number(gone)).await;
        assert!(matches!(body, Err(ReadError::Gone)), "message {gone} is {body:?}");
    }
    for here in [2, 4, 5] {
        read(&mut *second, number(here)).await;
    }
    // One that is gone already, and one that is not.
    second.commit(marks(&before, &[3, 4])).await.expect("the commit works");
    let after = listing(third.snapshot());
    assert!(matches!(third.body(number(2)).await, Err(ReadError::Gone)));
    third.commit(marks(&after, &[2])).await.expect("the commit works");
    let left: Vec<_> = listing(open(store, &owner).await.snapshot());
    let expected = [0, 2, 3].map(|at| after.get(at).cloned().expect("four were listed"));
    assert_eq!(left, expected, "removed more or less than was marked");
    assert!(share(store, &owner).await.snapshot().len() == 3, "the lock was not let go");
}

/// Only a commit deletes.
pub async fn dropping_a_maildrop_removes_nothing(store: &dyn Store) {
    let owner = owner("dropped");
    deliver_numbered(store, &owner, 3).await;
    let mut maildrop = open(store, &owner).await;
    let before = listing(maildrop.snapshot());
    read(&mut *maildrop, number(1)).await;
    drop(maildrop);
    assert_eq!(listing(open(store, &owner).await.snapshot()), before);
}

/// All marked messages go, and no other.
pub async fn a_commit_removes_exactly_what_is_marked(store: &dyn Store) {
    let owner = owner("commit");
    deliver_numbered(store, &owner, 5).await;
    let maildrop = open(store, &owner).await;
    let before = listing(maildrop.snapshot());
    maildrop.commit(marks(&before, &[2, 4, 5])).await.expect("the commit works");
    let mut maildrop = open(store, &owner).await;
    let kept: Vec<_> = [0, 2].iter().filter_map(|&at| before.get(at).cloned()).collect();
    assert_eq!(listing(maildrop.snapshot()), kept);
    for number in maildrop.snapshot().clone().numbers() {
        read(&mut *maildrop, number).await;
    }
}

/// `QUIT` after a session that deleted nothing.
pub async fn a_commit_without_marks_frees_the_lock(store: &dyn Store) {
    let owner = owner("no-marks");
    deliver_numbered(store, &owner, 2).await;
    let maildrop = open(store, &owner).await;
    let before = listing(maildrop.snapshot());
    maildrop.commit(Marks::default()).await.expect("an empty commit works");
    assert_eq!(listing(open(store, &owner).await.snapshot()), before);
}

/// Half a message is no message.
pub async fn an_unfinished_delivery_is_invisible(store: &dyn Store) {
    let owner = owner("unfinished");
    let mut delivery = store.deliver(&owner).await.expect("a delivery begins");
    delivery.write(Bytes::from_static(b"Subject: half\n")).await.expect("it takes bytes");
    assert!(open(store, &owner).await.snapshot().is_empty(), "visible before its end");
    drop(delivery);
    assert!(open(store, &owner).await.snapshot().is_empty(), "visible though dropped");
}

/// The session's view is fixed; the next session sees the new mail after the old.
pub async fn mail_that_arrives_during_a_session_waits_for_the_next(store: &dyn Store) {
    let owner = owner("arrival");
    deliver_numbered(store, &owner, 2).await;
    let mut maildrop = open(store, &owner).await;
    let before = listing(maildrop.snapshot());
    let receipt = deliver(store, &owner, &[b"Subject: late\n\nlate\n"]).await;
    assert_eq!(listing(maildrop.snapshot()), before);
    for number in maildrop.snapshot().clone().numbers() {
        read(&mut *maildrop, number).await;
    }
    maildrop.commit(marks(&before, &[1, 2])).await.expect("the commit works");
    let mut maildrop = open(store, &owner).await;
    let after = listing(maildrop.snapshot());
    assert_eq!(after.len(), 1, "exactly the late message is left");
    if let Some(id) = receipt.unique_id {
        assert_eq!(after.first().map(|(id, _)| id.as_str()), Some(id.as_str()));
    }
    let body = canonical(&read(&mut *maildrop, number(1)).await);
    assert_eq!(body, b"Subject: late\r\n\r\nlate\r\n");
}

/// A transfer that runs when its message is removed goes on to its end.
pub async fn a_body_outlives_its_removal(store: &dyn Store) {
    let owner = owner("outlives");
    deliver_numbered(store, &owner, 2).await;
    let mut maildrop = open(store, &owner).await;
    let messages = listing(maildrop.snapshot());
    let removed = maildrop.body(number(1)).await.expect("the body opens");
    let kept = maildrop.body(number(2)).await.expect("the body opens");
    maildrop.commit(marks(&messages, &[1])).await.expect("the commit works");
    let octets: Vec<_> = messages.iter().map(|(_, octets)| *octets).collect();
    let read = [&removed, &kept].map(|body| canonical(&bytes_of(body)).len() as u64);
    assert_eq!(&read[..], octets);
}

/// A number that was never listed is no message, and no harm.
pub async fn numbers_beyond_the_maildrop_are_gone(store: &dyn Store) {
    let owner = owner("beyond");
    deliver_numbered(store, &owner, 1).await;
    let mut maildrop = open(store, &owner).await;
    for beyond in [2, u32::MAX] {
        let body = maildrop.body(number(beyond)).await;
        assert!(matches!(body, Err(ReadError::Gone)), "message {beyond} is {body:?}");
    }
}

/// One owner's session neither sees nor locks another's.
pub async fn maildrops_are_separate(store: &dyn Store) {
    let (here, there) = (owner("here"), owner("there"));
    deliver_numbered(store, &here, 2).await;
    deliver_numbered(store, &there, 1).await;
    let first = open(store, &here).await;
    let second = open(store, &there).await;
    assert_eq!((first.snapshot().len(), second.snapshot().len()), (2, 1));
    let messages = listing(first.snapshot());
    first.commit(marks(&messages, &[1, 2])).await.expect("the commit works");
    drop(second);
    assert_eq!(open(store, &there).await.snapshot().len(), 1);
}

async fn open(store: &dyn Store, owner: &Owner) -> Box<dyn Maildrop> {
    store.open(owner, Access::Exclusive, "a check").await.expect("the maildrop opens")
}

async fn share(store: &dyn Store, owner: &Owner) -> Box<dyn Maildrop> {
    store.open(owner, Access::Shared, "one of several").await.expect("the maildrop opens")
}

async fn deliver(store: &dyn Store, owner: &Owner, chunks: &[&[u8]]) -> Receipt {
    let mut delivery = store.deliver(owner).await.expect("a delivery begins");
    for chunk in chunks {
        delivery.write(Bytes::copy_from_slice(chunk)).await.expect("it takes bytes");
    }
    delivery.finish().await.expect("it becomes durable")
}

/// Delivers messages of different sizes.
async fn deliver_numbered(store: &dyn Store, owner: &Owner, count: usize) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for at in 0..count {
        let message = format!("Subject: {at}\n\n{}\n", "x".repeat(at));
        receipts.push(deliver(store, owner, &[message.as_bytes()]).await);
    }
    receipts
}

async fn read(maildrop: &mut dyn Maildrop, number: MessageNumber) -> Vec<u8> {
    bytes_of(&maildrop.body(number).await.expect("the body opens"))
}

fn bytes_of(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    // An odd size, so that the reads do not fall on the file's own blocks.
    let mut buffer = [0; 4093];
    loop {
        let read = body.read_at(&mut buffer, bytes.len() as u64).expect("the body is readable");
        if read == 0 {
            return bytes;
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
}

fn listing(snapshot: &Snapshot) -> Vec<(String, u64)> {
    let message = |number| {
        let id = snapshot.unique_id(number).expect("a listed message has a unique-id");
        let octets = snapshot.octets(number).expect("a listed message has a size");
        (id.to_owned(), octets.to_u64())
    };
    snapshot.numbers().map(message).collect()
}

fn marks(messages: &[(String, u64)], numbers: &[u32]) -> Marks {
    let mut marks = Marks::default();
    for &marked in numbers {
        let marked = number(marked);
        let (_, octets) = messages.get(marked.index()).expect("the message is listed");
        marks.insert(marked, restante_proto::Octets::new(*octets));
    }
    marks
}

fn number(number: u32) -> MessageNumber {
    MessageNumber::new(number).expect("numbers begin at 1")
}

fn owner(rule: &str) -> Owner {
    Owner::new(&format!("conformance-{rule}")).expect("the rules' names are usable")
}

/// The canonical form by the letter of RFC 1939 section 3: CRLF ends each line, also the last.
/// On purpose not the codec the stores use.
fn canonical(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for &byte in message {
        if byte == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
    if !wire.is_empty() && !wire.ends_with(b"\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

const ODD_MESSAGES: &[&[u8]] = &[
    b"",
    b"\n",
    b"\r\n",
    b"\r",
    b"\r\r\n",
    b"\n\r",
    b".",
    b".\n",
    b".\r\n",
    b"..\n.\n",
    b"no end of line",
    b"Subject: plain\n\nbody\n",
    b"Subject: wire\r\n\r\nbody\r\n",
    b"Subject: mixed\r\n\nbody\r\nno end",
    b"nul \0 and 8 bit \xff\xfe\n",
    b"\0",
    b"a\rb\rc\n",
    b"From nobody\n.\nQUIT\n",
];

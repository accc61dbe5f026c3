//! Mail as files, and how two heaps of mail are compared: by the SHA-256 of the canonical form of
//! every message, in which every LF has a CR before it and the last line is ended. That is what
//! RFC 1939 lets through; it is computed here octet by octet, apart from the code under test.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A message's identity in a comparison.
pub(crate) type Print = [u8; 32];

/// The canonical form.
pub(crate) fn canonical(message: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(message.len() + message.len() / 32 + 2);
    for &octet in message {
        if octet == b'\n' && form.last() != Some(&b'\r') {
            form.push(b'\r');
        }
        form.push(octet);
    }
    // A message that ends in a bare CR is no exception: the LF is what ends a line.
    if !form.is_empty() && form.last() != Some(&b'\n') {
        form.extend_from_slice(b"\r\n");
    }
    form
}

/// The hash of a message's canonical form.
pub(crate) fn print(message: &[u8]) -> Print {
    Sha256::digest(canonical(message)).into()
}

/// The hash of the canonical form of a message too large for memory, and its octets.
pub(crate) fn print_stream(mut message: impl Read) -> (Print, u64) {
    let mut hash = Sha256::new();
    let (mut chunk, mut form) = (vec![0; 1 << 20], Vec::new());
    let (mut last, mut octets) = (b'\n', 0);
    loop {
        let read = message.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        form.clear();
        for &octet in &chunk[..read] {
            if octet == b'\n' && last != b'\r' {
                form.push(b'\r');
            }
            form.push(octet);
            last = octet;
        }
        octets += form.len() as u64;
        hash.update(&form);
    }
    if last != b'\n' {
        octets += 2;
        hash.update(b"\r\n");
    }
    (hash.finalize().into(), octets)
}

/// What a program that keeps LF line ends has on disk: the canonical form with every CRLF made LF.
/// It cannot be led back to the canonical form where a line ends in several CRs.
pub(crate) fn with_lf(message: &[u8]) -> Vec<u8> {
    let mut form: Vec<u8> = Vec::with_capacity(message.len());
    for octet in canonical(message) {
        if octet == b'\n' && form.last() == Some(&b'\r') {
            form.pop();
        }
        form.push(octet);
    }
    form
}

/// The hash of octets as they are.
pub(crate) fn raw_print(octets: &[u8]) -> Print {
    Sha256::digest(octets).into()
}

/// The hashes of messages, in order.
pub(crate) fn prints<M: AsRef<[u8]>>(messages: impl IntoIterator<Item = M>) -> Vec<Print> {
    messages.into_iter().map(|message| print(message.as_ref())).collect()
}

/// Asserts that two heaps hold the same messages equally often, in any order.
pub(crate) fn assert_same_heap(got: &[Print], sent: &[Print], what: &str) {
    let count = |prints: &[Print]| {
        let mut heap = BTreeMap::new();
        for &print in prints {
            *heap.entry(print).or_insert(0_usize) += 1;
        }
        heap
    };
    let (got_heap, sent_heap) = (count(got), count(sent));
    let missing = sent_heap.keys().filter(|print| !got_heap.contains_key(*print)).count();
    let strange = got_heap.keys().filter(|print| !sent_heap.contains_key(*print)).count();
    let repeated =
        got_heap.iter().filter(|(print, n)| sent_heap.get(*print).is_some_and(|m| *n > m));
    assert!(
        got_heap == sent_heap,
        "{what}: {} messages of {}; {missing} missing or changed, {strange} that were never sent, \
         {} too often; first missing: number {:?}; first strange: number {:?}",
        got.len(),
        sent.len(),
        repeated.count(),
        sent.iter().position(|print| !got_heap.contains_key(print)).map(|index| index + 1),
        got.iter().position(|print| !sent_heap.contains_key(print)).map(|index| index + 1),
    );
}

/// Asserts that the same messages came in the same order.
pub(crate) fn assert_same_order(got: &[Print], sent: &[Print], what: &str) {
    assert_same_heap(got, sent, what);
    let differs = got.iter().zip(sent).position(|(got, sent)| got != sent);
    assert_eq!(differs, None, "{what}: the order differs from this index on");
}

/// Makes an empty Maildir.
pub(crate) fn create(maildir: &Path) {
    for folder in ["tmp", "new", "cur"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
}

/// Puts messages into a Maildir as any other program would, in the order of their names.
pub(crate) fn fill<M: AsRef<[u8]>>(maildir: &Path, messages: impl IntoIterator<Item = M>) {
    create(maildir);
    for (index, message) in messages.into_iter().enumerate() {
        let name = format!("{}.M0P1Q{index}.corpus", 1_000_000_000 + index);
        fs::write(maildir.join("new").join(name), message).unwrap();
    }
}

/// Every message file of a Maildir, new and read.
pub(crate) fn files(maildir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["new", "cur"] {
        let Ok(entries) = fs::read_dir(maildir.join(folder)) else { continue };
        files.extend(
            entries
                .map(|entry| entry.unwrap())
                .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
                .map(|entry| entry.path()),
        );
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    files
}

/// The content of the message files of a Maildir.
pub(crate) fn contents(maildir: &Path) -> Vec<Vec<u8>> {
    files(maildir).into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The hashes of the messages of a Maildir.
pub(crate) fn stored(maildir: &Path) -> Vec<Print> {
    prints(contents(maildir))
}

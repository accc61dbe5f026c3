//! The index: what was learnt about a Maildir's messages, so that nothing is learnt twice and an
//! unchanged Maildir is not even listed.
//!
//! In: `restante-index` in the Maildir. Out: entries in the order of the session, and the stamps
//! of the directories when they were listed. It is never the only copy of anything: one that is
//! missing, cut or changed is as good as none, and one that cannot be written costs time only.
//!
//! `index = seal( listed(8) stamp(24) stamp(24) *entry )`,
//! `entry = bits(2) octets(8) file-octets(8) inode(8) name(2+n) [ id(2+n) ] [ surrogate(8) ]`.
//!
//! Bits that have no name yet are spare: 0 when written, and when read not looked at. One that is
//! given a meaning must mean with 0 what is true of every index written before: "not known".
//!
//! The first version had `bits(1)` and no `file-octets`. It is read, each file's size asked for,
//! and written anew.

use std::io;
use std::path::PathBuf;

use restante_host::{Fs, durable};
use restante_maildrop::UniqueId;

use crate::listing::{Entry, Named};
use crate::maildir::{Maildir, Place, Stamp, Stamps};
use crate::name;
use crate::record::{Reader, Writer};
use crate::surrogates::Surrogate;

/// A Maildir as it was listed once.
#[derive(Debug)]
pub(crate) struct Index {
    /// When the listing began, in nanoseconds since 1970.
    pub(crate) listed: u64,
    pub(crate) stamps: Stamps,
    pub(crate) entries: Vec<Entry>,
}

impl Index {
    /// The index, if there is a whole one.
    pub(crate) fn load(fs: &dyn Fs, maildir: &Maildir) -> Option<Self> {
        let path = path(maildir);
        let index = durable::read(fs, &path, OCTETS_MAX).map(|contents| Self::decode(&contents));
        match index {
            Ok(Some((index, Version::Second))) => return Some(index),
            Ok(Some((mut index, Version::First))) => {
                index.complete(fs, maildir);
                return Some(index);
            }
            Ok(None) => tracing::warn!(path = %path.display(), "the index is damaged"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot read the index"),
        }
        None
    }

    /// Whether the directories are as they were listed. A change within the resolution of the
    /// clock after the listing would not show, hence the margin.
    pub(crate) fn is_current(&self, stamps: Stamps) -> bool {
        let settled = stamps.latest().checked_add(MARGIN_NS);
        self.stamps == stamps && settled.is_some_and(|settled| settled <= self.listed)
    }

    /// An index of `entries` that is never current: they are all looked for again, and those of
    /// unknown size on the disk measured.
    pub(crate) fn doubtful(entries: Vec<Entry>) -> Self {
        Self { listed: 0, stamps: Stamps { new: Stamp::default(), cur: Stamp::default() }, entries }
    }

    /// Adds what the first version had not.
    fn complete(&mut self, fs: &dyn Fs, maildir: &Maildir) {
        self.listed = 0;
        for entry in &mut self.entries {
            let stat = fs.stat(&maildir.message(entry.place, &entry.name));
            entry.file_octets = stat.ok().map(|stat| stat.octets);
        }
    }

    /// Writes the index, or says in the log why not.
    pub(crate) fn store(&self, fs: &dyn Fs, maildir: &Maildir) {
        let path = path(maildir);
        let Some(contents) = self.encode() else { return };
        if let Err(error) = durable::write(fs, &path, &contents, MODE) {
            tracing::warn!(path = %path.display(), %error, "cannot write the index");
        }
    }

    fn encode(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::new(MAGIC);
        writer.u64(self.listed);
        for stamp in [self.stamps.new, self.stamps.cur] {
            writer.u64(stamp.modified);
            writer.u64(stamp.changed);
            writer.u64(stamp.inode);
        }
        for entry in &self.entries {
            let bits = [
                (entry.place == Place::Cur, IN_CUR),
                (entry.linked_twice, LINKED_TWICE),
                (entry.own_id.is_some(), OWN_ID),
                (entry.file_octets.is_some(), FILE_OCTETS_KNOWN),
                (entry.blank_line.is_some(), BLANK_LINE_KNOWN),
                (entry.lacks_blank_line(), BLANK_LINE_MISSING),
                (entry.surrogate != Surrogate::Unknown, SURROGATE_KNOWN),
                (matches!(entry.surrogate, Surrogate::Octets(_)), SURROGATE),
            ];
            writer.u16(bits.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit));
            writer.u64(entry.octets);
            writer.u64(entry.file_octets.unwrap_or_default());
            writer.u64(entry.inode);
            let named = writer.bytes(&entry.name);
            let id = entry.own_id.as_ref();
            if !named || !id.is_none_or(|id| writer.bytes(id.as_str().as_bytes())) {
                return None;
            }
            if let Surrogate::Octets(octets) = entry.surrogate {
                writer.u64(octets);
            }
        }
        let contents = writer.seal();
        (contents.len() as u64 <= OCTETS_MAX).then_some(contents)
    }

    fn decode(contents: &[u8]) -> Option<(Self, Version)> {
        let second = Reader::open(contents, MAGIC).map(|reader| (reader, Version::Second));
        let first = || Reader::open(contents, MAGIC_FIRST).map(|reader| (reader, Version::First));
        let (mut reader, version) = second.or_else(first)?;
        let listed = reader.u64()?;
        let mut stamp = || {
            let (modified, changed) = (reader.u64()?, reader.u64()?);
            Some(Stamp { modified, changed, inode: reader.u64()? })
        };
        let stamps = Stamps { new: stamp()?, cur: stamp()? };
        let mut entries: Vec<Entry> = Vec::new();
        while !reader.is_done() {
            let entry = decode_entry(&mut reader, version)?;
            if entries.last().is_some_and(|before| before.order() > entry.order()) {
                return None;
            }
            entries.push(entry);
        }
        Some((Self { listed, stamps, entries }, version))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    First,
    Second,
}

fn decode_entry(reader: &mut Reader<'_>, version: Version) -> Option<Entry> {
    let (bits, octets, file_octets) = match version {
        Version::First => (u16::from(reader.u8()?), reader.u64()?, 0),
        Version::Second => (reader.u16()?, reader.u64()?, reader.u64()?),
    };
    let inode = reader.u64()?;
    let name = reader.bytes()?;
    let own_id = if bits & OWN_ID == 0 {
        None
    } else {
        Some(UniqueId::new(str::from_utf8(reader.bytes()?).ok()?)?)
    };
    let surrogate = match (bits & SURROGATE_KNOWN != 0, bits & SURROGATE != 0) {
        (false, false) => Surrogate::Unknown,
        (true, false) => Surrogate::None,
        (_, true) => Surrogate::Octets(reader.u64()?),
    };
    // A name is a path's last component: one with a slash would lead out of the Maildir.
    name::is_message(name).then(|| Entry {
        place: if bits & IN_CUR == 0 { Place::New } else { Place::Cur },
        name: name.into(),
        octets,
        file_octets: (bits & FILE_OCTETS_KNOWN != 0).then_some(file_octets),
        surrogate,
        inode,
        own_id,
        linked_twice: bits & LINKED_TWICE != 0,
        blank_line: (bits & BLANK_LINE_KNOWN != 0).then_some(bits & BLANK_LINE_MISSING == 0),
    })
}

fn path(maildir: &Maildir) -> PathBuf {
    maildir.path().join("restante-index")
}

const MAGIC: [u8; 8] = *b"RSTIDX\x00\x02";
const MAGIC_FIRST: [u8; 8] = *b"RSTIDX\x00\x01";
const IN_CUR: u16 = 1;
const LINKED_TWICE: u16 = 1 << 1;
const OWN_ID: u16 = 1 << 2;
/// Not set in any index of the first version.
const FILE_OCTETS_KNOWN: u16 = 1 << 3;
const SURROGATE_KNOWN: u16 = 1 << 4;
const SURROGATE: u16 = 1 << 5;
const BLANK_LINE_KNOWN: u16 = 1 << 6;
const BLANK_LINE_MISSING: u16 = 1 << 7;
/// The coarsest file system clock in use ticks every two seconds (FAT).
const MARGIN_NS: u64 = 2_000_000_000;
/// More than a million messages. The file is read into memory, and its owner can make it large;
/// a larger Maildir does without an index.
const OCTETS_MAX: u64 = 128 << 20;
const MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, own_id: Option<&str>) -> Entry {
        Entry {
            place: Place::Cur,
            name: name.as_bytes().into(),
            octets: 12,
            file_octets: own_id.is_none().then_some(11),
            surrogate: Surrogate::Unknown,
            inode: 34,
            own_id: own_id.map(|id| UniqueId::new(id).unwrap()),
            linked_twice: own_id.is_some(),
            blank_line: own_id.map(|id| id == "id"),
        }
    }

    fn index(entries: Vec<Entry>) -> Index {
        let stamp = Stamp { modified: 5_000_000_000, changed: 6_000_000_000, inode: 7 };
        let stamps = Stamps { new: stamp, cur: Stamp::default() };
        Index { listed: 8_000_000_000, stamps, entries }
    }

    #[test]
    fn an_index_comes_back_as_it_was() {
        let mut entries =
            vec![entry("1.a:2,S", None), entry("1.b", Some("id")), entry("2.a", Some("other"))];
        entries[1].surrogate = Surrogate::Octets(99);
        entries[2].surrogate = Surrogate::None;
        let index = index(entries);
        let (back, version) = Index::decode(&index.encode().unwrap()).unwrap();
        assert_eq!(version, Version::Second);
        assert_eq!(back.entries, index.entries);
        assert_eq!((back.listed, back.stamps), (index.listed, index.stamps));
    }

    /// Goal: a well-sealed index from a hostile owner leads nowhere.
    #[test]
    fn names_that_lead_out_and_wrong_order_are_refused() {
        for entries in [
            vec![entry("../../etc/passwd", None)],
            vec![entry("..", None)],
            vec![entry("", None)],
            vec![entry("2.a", None), entry("1.a", None)],
        ] {
            assert!(Index::decode(&index(entries).encode().unwrap()).is_none());
        }
    }

    #[test]
    fn an_index_is_current_only_for_equal_stamps_and_after_the_margin() {
        let mut index = index(Vec::new());
        let stamps = index.stamps;
        assert!(index.is_current(stamps));
        let mut other = stamps;
        other.cur.inode = 1;
        assert!(!index.is_current(other));
        index.listed -= 1;
        assert!(!index.is_current(stamps));
    }
}

//! A session's messages: what the directories list, joined with what the index knows.
//!
//! In: a sorted listing and sorted entries. Out: sorted entries with exact sizes (RFC 1939
//! section 11) and unique-ids (section 7). A file is read once in its life to learn its size, or
//! never when its name tells it. A file that cannot be read is listed by the size on the disk.

use std::io;
use std::path::Path;

use restante_host::Fs;
use restante_maildrop::{Octets, Snapshot, UniqueId};
use restante_proto::SnapshotBuilder;
use restante_proto::snapshot::SnapshotFull;

use crate::maildir::{Found, Maildir, Place};
use crate::surrogates::Surrogate;
use crate::{measure, name};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where it was last seen.
    pub(crate) place: Place,
    /// Under which name, flags included.
    pub(crate) name: Box<[u8]>,
    /// Its size as RFC 1939 counts it.
    pub(crate) octets: u64,
    /// Its size on the disk when the other one was learnt; `None` once the file was seen to have
    /// changed, so that the next session learns both anew.
    pub(crate) file_octets: Option<u64>,
    /// What a client without UTF-8 would get instead.
    pub(crate) surrogate: Surrogate,
    /// Tells files of one base name apart.
    pub(crate) inode: u64,
    /// The unique-id where it is not the one the base name gives: another message has that.
    pub(crate) own_id: Option<UniqueId>,
    /// The file was seen under two names; both have to go when the message goes.
    pub(crate) linked_twice: bool,
    /// Whether a blank line ends its header; `None` as long as nobody wanted to know.
    pub(crate) blank_line: Option<bool>,
}

/// Has a base name and so a place in the order of messages.
pub(crate) trait Named {
    fn base(&self) -> &[u8];
    fn delivered(&self) -> (u64, u64);

    /// Seconds and microseconds of delivery, then base name: no flag, move or touch changes it.
    fn order(&self) -> ((u64, u64), &[u8]) {
        (self.delivered(), self.base())
    }
}

impl Named for Found {
    fn base(&self) -> &[u8] {
        name::base(&self.name)
    }

    fn delivered(&self) -> (u64, u64) {
        self.delivered
    }
}

impl Named for Entry {
    fn base(&self) -> &[u8] {
        name::base(&self.name)
    }

    fn delivered(&self) -> (u64, u64) {
        name::delivered(self.base())
    }
}

impl Entry {
    /// Known to have no blank line behind its header.
    pub(crate) fn lacks_blank_line(&self) -> bool {
        self.blank_line == Some(false)
    }

    pub(crate) fn id(&self) -> UniqueId {
        self.own_id.clone().unwrap_or_else(|| name::unique_id(self.base()))
    }
}

/// What [`merge`] made of a listing.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) entries: Vec<Entry>,
    /// Everything is as it was known.
    pub(crate) unchanged: bool,
    /// All sizes and ids are certain; otherwise they must not be remembered.
    pub(crate) certain: bool,
}

/// Joins a listing with what is known. Files are looked at only where a name is new.
pub(crate) fn merge(
    fs: &dyn Fs,
    maildir: &Maildir,
    found: Vec<Found>,
    known: Vec<Entry>,
) -> io::Result<Merged> {
    let entries = Vec::with_capacity(found.len());
    let mut merged = Merged { entries, unchanged: true, certain: true };
    let mut failed = Ok(());
    join(found, known, |found, known| match (found.as_slice(), known.as_slice()) {
        ([], _) => merged.unchanged = false,
        ([_], [entry]) if entry.file_octets.is_some() => {
            for (file, mut entry) in found.drain(..).zip(known.drain(..)) {
                merged.unchanged &= (file.place, &file.name) == (entry.place, &entry.name);
                (entry.place, entry.name, entry.linked_twice) = (file.place, file.name, false);
                merged.entries.push(entry);
            }
        }
        _ => {
            let mut group = Group { fs, maildir, entries: Vec::new(), certain: true };
            let identified = group.identify(std::mem::take(found), known);
            failed = std::mem::replace(&mut failed, Ok(())).and(identified);
            merged.unchanged &= group.entries == *known;
            merged.certain &= group.certain;
            merged.entries.append(&mut group.entries);
        }
    });
    failed.map(|()| merged)
}

/// Follows messages that other programs renamed. Those that are not listed stay as they are.
pub(crate) fn relocate(
    fs: &dyn Fs,
    maildir: &Maildir,
    entries: &mut Vec<Entry>,
    found: Vec<Found>,
) {
    let mut relocated = Vec::with_capacity(entries.len());
    join(found, std::mem::take(entries), |found, group| {
        let alone = group.len() == 1;
        for mut entry in group.drain(..) {
            let same = |file: &Found| {
                let stat = fs.stat(&maildir.message(file.place, &file.name));
                stat.is_ok_and(|stat| stat.identity.1 == entry.inode)
            };
            let at = match found.len() {
                1 if alone => Some(0),
                _ => found.iter().rposition(same),
            };
            if let Some(file) = at.map(|at| found.swap_remove(at)) {
                (entry.place, entry.name) = (file.place, file.name);
            }
            relocated.push(entry);
        }
    });
    *entries = relocated;
}

/// Learns of each message whose header has not been looked at whether a blank line ends it. Returns
/// whether that is news about any of them; one that cannot be read is left for later.
pub(crate) fn look_for_blank_lines(fs: &dyn Fs, maildir: &Maildir, entries: &mut [Entry]) -> bool {
    let mut news = false;
    for entry in entries.iter_mut().filter(|entry| entry.blank_line.is_none()) {
        let path = maildir.message(entry.place, &entry.name);
        match measure::has_blank_line(fs, &path) {
            Ok(blank_line) => {
                entry.blank_line = Some(blank_line);
                news = true;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read a message's header");
            }
        }
    }
    news
}

/// The session's view of the entries. `adds_blank_lines`: messages without one are sent with one.
pub(crate) fn snapshot(
    entries: &[Entry],
    adds_blank_lines: bool,
) -> Result<Snapshot, SnapshotFull> {
    let mut builder = SnapshotBuilder::default();
    for entry in entries {
        let added = if adds_blank_lines && entry.lacks_blank_line() { 2 } else { 0 };
        builder.push(Octets::new(entry.octets.saturating_add(added)), &entry.id())?;
        if let Surrogate::Octets(octets) = entry.surrogate {
            builder.surrogate(Octets::new(octets.saturating_add(added)));
        }
    }
    Ok(builder.finish())
}

/// Hands out two sorted lists base name by base name; either group may be empty.
fn join<A: Named, B: Named>(
    left: Vec<A>,
    right: Vec<B>,
    mut each: impl FnMut(&mut Vec<A>, &mut Vec<B>),
) {
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    loop {
        let left_first = match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(a), Some(b)) => a.order() <= b.order(),
        };
        if left_first {
            lefts.extend(left.next());
        } else {
            rights.extend(right.next());
        }
        let first = lefts.first().map(Named::base).or_else(|| rights.first().map(Named::base));
        let base = first.unwrap_or_default().to_vec();
        while let Some(next) = left.next_if(|next| next.base() == base) {
            lefts.push(next);
        }
        while let Some(next) = right.next_if(|next| next.base() == base) {
            rights.push(next);
        }
        each(&mut lefts, &mut rights);
        lefts.clear();
        rights.clear();
    }
}

/// The files of one base name: usually one, seen for the first time.
struct Group<'a> {
    fs: &'a dyn Fs,
    maildir: &'a Maildir,
    entries: Vec<Entry>,
    certain: bool,
}

impl Group<'_> {
    fn identify(&mut self, found: Vec<Found>, known: &[Entry]) -> io::Result<()> {
        let mut files: Vec<Entry> = Vec::new();
        for Found { place, name, .. } in found {
            let stat = match self.fs.stat(&self.maildir.message(place, &name)) {
                Ok(stat) if stat.is_file => stat,
                Ok(_) => continue,
                // Another program moved or removed it since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let (inode, octets, file_octets) = (stat.identity.1, stat.octets, Some(stat.octets));
            if let Some(twin) = files.iter_mut().find(|file| file.inode == inode) {
                (twin.place, twin.name, twin.linked_twice) = (place, name, true);
            } else {
                let own_id = None;
                files.push(Entry {
                    place,
                    name,
                    octets,
                    file_octets,
                    surrogate: Surrogate::Unknown,
                    inode,
                    own_id,
                    linked_twice: false,
                    blank_line: None,
                });
            }
        }
        match (files.as_mut_slice(), known) {
            ([file], []) => file.own_id = None,
            ([file], [known]) => file.own_id.clone_from(&known.own_id),
            (files, known) => self.tell_apart(files, known),
        }
        for mut file in files {
            let same = |known: &&Entry| {
                known.inode == file.inode
                    && known.file_octets == file.file_octets
                    && known.own_id == file.own_id
            };
            if let Some(known) = known.iter().find(same) {
                file.surrogate = known.surrogate;
            }
            let path = self.maildir.message(file.place, &file.name);
            match measure::octets(self.fs, &path, file.base(), file.octets) {
                Ok(octets) => file.octets = octets,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => self.doubt(&path, &error),
            }
            self.entries.push(file);
        }
        self.entries.sort_by_cached_key(Entry::id);
        Ok(())
    }

    /// Gives each of several files an id. One has that of the base name; what tells the others
    /// from it for good is what is in them, as an inode may be another file's tomorrow.
    fn tell_apart(&mut self, files: &mut [Entry], known: &[Entry]) {
        let mut digests = Vec::with_capacity(files.len());
        for file in files {
            let path = self.maildir.message(file.place, &file.name);
            let digest = measure::digest(self.fs, &path, file.base()).unwrap_or_else(|error| {
                self.doubt(&path, &error);
                name::hashed_id(&[&file.name, &file.inode.to_le_bytes()])
            });
            digests.push((digest, file));
        }
        digests.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut before: Option<(UniqueId, UniqueId)> = None;
        for (digest, file) in &mut digests {
            let id = match before {
                // True copies follow each other; each id is made of the last.
                Some((equal, last)) if equal == *digest => {
                    name::hashed_id(&[last.as_str().as_bytes()])
                }
                _ => digest.clone(),
            };
            file.own_id = Some(id.clone());
            before = Some((digest.clone(), id));
        }
        // The id of the base name stays where it was. Once its message is gone, it is used up.
        let plain = known.iter().find(|known| known.own_id.is_none());
        if plain.is_none() && !known.is_empty() {
            return;
        }
        let was_here = |file: &Entry| known.iter().any(|known| known.own_id == file.own_id);
        let fresh = || digests.iter().position(|(_, file)| !was_here(file));
        let same = |plain: &Entry| {
            digests.iter().position(|(_, file)| file.inode == plain.inode && !was_here(file))
        };
        if let Some(at) = plain.and_then(same).or_else(fresh)
            && let Some((_, file)) = digests.get_mut(at)
        {
            file.own_id = None;
        }
    }

    fn doubt(&mut self, path: &Path, error: &io::Error) {
        self.certain = false;
        tracing::warn!(path = %path.display(), %error, "cannot read a message to learn its size");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<Found> {
        let found = names.iter().map(|name| Found {
            place: Place::New,
            name: name.as_bytes().into(),
            delivered: name::delivered(name::base(name.as_bytes())),
        });
        found.collect()
    }

    #[test]
    fn join_pairs_equal_base_names_and_loses_nothing() {
        let (left, right) = (&["1.a", "1.a:2,S", "3.c", "4.d"], &["1.a:2,F", "2.b", "4.d", "5.e"]);
        let mut pairs = Vec::new();
        join(found(left), found(right), |lefts, rights| pairs.push((lefts.len(), rights.len())));
        assert_eq!(pairs, [(2, 1), (0, 1), (1, 0), (1, 1), (0, 1)]);
    }
}

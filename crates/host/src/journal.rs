//! A checksummed append-only journal: one record a line, `crc32c SP record LF`.
//!
//! In and out: records of bytes without LF (JSON, usually). A line whose checksum does not fit
//! can only be the torn end of a write that was never acknowledged, when it is the last one; it
//! is cut away. Anywhere else it is damage, reported and never guessed at.
//! The text form is on purpose: an administrator can read it with `less`.

use std::io;
use std::path::{Path, PathBuf};

use crate::{File, Fs, durable};

/// An open journal. The caller holds a lock against a second writer.
#[derive(Debug)]
pub struct Journal {
    file: Box<dyn File>,
    path: PathBuf,
    /// Octets known to be whole records; what an append failed to write is cut back to here.
    octets: u64,
    poisoned: bool,
}

impl Journal {
    /// Opens `path`, creating it durably when missing, and hands every record to `each` in order.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] names the line of a damaged record that is not the torn end.
    pub fn open(
        fs: &dyn Fs,
        path: &Path,
        each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Self> {
        let contents = match durable::read(fs, path, OCTETS_MAX) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                durable::write(fs, path, b"", MODE)?;
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut whole = 0;
        let mut lines = contents.split_inclusive(|&byte| byte == b'\n').enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            match decode(line) {
                Some(record) => each(record)?,
                None if lines.peek().is_none() => break,
                None => return Err(damaged(path, number)),
            }
            whole += line.len();
        }
        let mut file = fs.append(path, MODE)?;
        if whole < contents.len() {
            file.truncate(whole as u64)?;
            file.sync()?;
        }
        Ok(Self { file, path: path.to_owned(), octets: whole as u64, poisoned: false })
    }

    /// Appends records in one write and returns once they would survive a power cut.
    ///
    /// # Errors
    /// As the system calls. None of the records counts then. After a failed sync the journal
    /// refuses everything: what is on the disk is unknown until it is opened again.
    pub fn append<'a>(&mut self, records: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        if self.poisoned {
            return Err(io::Error::other("an earlier write to this journal failed; reopen it"));
        }
        let mut lines = Vec::new();
        for record in records {
            encode(record, &mut lines)?;
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync());
        if let Err(error) = written {
            self.poisoned = true;
            // Best effort: reopening cuts a torn end as well.
            let _ = self.file.truncate(self.octets);
            return Err(error);
        }
        self.octets += lines.len() as u64;
        Ok(())
    }

    /// Octets in the journal, to decide when a [`Journal::rewrite`] pays.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Replaces the whole journal by `records`, atomically.
    ///
    /// # Errors
    /// As the system calls; the old journal stands then.
    pub fn rewrite<'a>(
        self,
        fs: &dyn Fs,
        records: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<Self> {
        let mut lines = Vec::new();
        for record in records {
            encode(record, &mut lines)?;
        }
        durable::write(fs, &self.path, &lines, MODE)?;
        let file = fs.append(&self.path, MODE)?;
        Ok(Self { file, path: self.path, octets: lines.len() as u64, poisoned: false })
    }
}

/// `line = 8HEXDIG SP record LF`
fn decode(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, rest) = line.split_at_checked(8)?;
    let record = rest.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(str::from_utf8(checksum).ok()?, 16).ok()?;
    (checksum == crc32c::crc32c(record)).then_some(record)
}

fn encode(record: &[u8], lines: &mut Vec<u8>) -> io::Result<()> {
    if record.contains(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record cannot hold a LF"));
    }
    lines.extend_from_slice(format!("{:08x} ", crc32c::crc32c(record)).as_bytes());
    lines.extend_from_slice(record);
    lines.push(b'\n');
    Ok(())
}

fn damaged(path: &Path, number: usize) -> io::Error {
    let line = number.saturating_add(1);
    let path = path.display();
    io::Error::new(io::ErrorKind::InvalidData, format!("{path}: line {line} is damaged"))
}

/// 1 GiB: about five million messages; a journal is compacted long before.
const OCTETS_MAX: u64 = 1 << 30;
const MODE: u32 = 0o600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostFs;

    fn records(path: &Path) -> io::Result<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        Journal::open(&HostFs, path, &mut |record| {
            records.push(record.to_vec());
            Ok(())
        })?;
        Ok(records)
    }

    /// Goal: whatever a crash leaves of the last write, earlier records stand and the journal
    /// goes on. Method: cut the file at every length.
    #[test]
    fn torn_end_is_cut_at_every_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&HostFs, &path, &mut |_| Ok(())).unwrap();
        journal.append([&b"first"[..], b"second"]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = 8 + 1 + 5 + 1;
        for len in 0..=whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            let expected = usize::from(len >= first) + usize::from(len == whole.len());
            assert_eq!(records(&path).unwrap().len(), expected, "cut at {len}");
            let mut journal = Journal::open(&HostFs, &path, &mut |_| Ok(())).unwrap();
            journal.append([&b"next"[..]]).unwrap();
            assert_eq!(records(&path).unwrap().len(), expected + 1);
        }
    }

    #[test]
    fn damage_before_the_end_is_an_error_and_rewrite_compacts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::open(&HostFs, &path, &mut |_| Ok(())).unwrap();
        journal.append([&b"first"[..], b"second"]).unwrap();
        assert!(journal.append([&b"a\nb"[..]]).is_err());
        let journal = journal.rewrite(&HostFs, [&b"second"[..], b"third"]).unwrap();
        assert_eq!(journal.octets(), std::fs::metadata(&path).unwrap().len());
        assert_eq!(records(&path).unwrap(), [&b"second"[..], b"third"]);
        let mut contents = std::fs::read(&path).unwrap();
        contents[10] ^= 1;
        std::fs::write(&path, contents).unwrap();
        assert_eq!(records(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

//! Real messages to try the post office with: a Maildir, an mbox, a folder of files, or a small
//! set of our own.
//!
//! In: a path. Out: one message after the other, as bytes. Only one is in memory at a time. What
//! can fail is reading; an mbox is told from a single message by its first line.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Messages, one by one.
#[derive(Debug)]
pub(crate) enum Letters {
    /// Our own.
    Samples(std::slice::Iter<'static, &'static [u8]>),
    /// A file each.
    Files(std::vec::IntoIter<PathBuf>),
    /// One file with `From ` lines between them.
    Mbox(Mbox),
}

/// An mbox being read (the mboxrd form: `>From ` in a body loses one `>`).
#[derive(Debug)]
pub(crate) struct Mbox {
    path: PathBuf,
    reader: BufReader<File>,
    /// Whether the `From ` line of the next message has been read already.
    begun: bool,
}

impl Letters {
    /// Our own small set.
    pub(crate) fn samples() -> Self {
        Self::Samples(SAMPLES.iter())
    }

    /// The messages at `path`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let about = || format!("cannot read mail from {}", path.display());
        if fs::metadata(path).with_context(about)?.is_dir() {
            let mut files = Vec::new();
            if path.join("cur").is_dir() && path.join("new").is_dir() {
                find(&path.join("cur"), &mut files).with_context(about)?;
                find(&path.join("new"), &mut files).with_context(about)?;
            } else {
                find(path, &mut files).with_context(about)?;
            }
            files.sort();
            anyhow::ensure!(!files.is_empty(), "there are no messages in {}", path.display());
            return Ok(Self::Files(files.into_iter()));
        }
        let mut reader = BufReader::new(File::open(path).with_context(about)?);
        if reader.fill_buf().with_context(about)?.starts_with(b"From ") {
            Ok(Self::Mbox(Mbox { path: path.to_owned(), reader, begun: false }))
        } else {
            Ok(Self::Files(vec![path.to_owned()].into_iter()))
        }
    }
}

impl Iterator for Letters {
    type Item = anyhow::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Samples(samples) => samples.next().map(|sample| Ok(sample.to_vec())),
            Self::Files(files) => files.next().map(|file| {
                let message = fs::read(&file);
                let message = message.with_context(|| format!("cannot read {}", file.display()))?;
                Ok(without_from_line(message))
            }),
            Self::Mbox(mbox) => mbox.next_message().transpose(),
        }
    }
}

impl Mbox {
    fn next_message(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = self.reader.read_until(b'\n', &mut line);
            read.with_context(|| format!("cannot read {}", self.path.display()))?;
            if line.is_empty() {
                let begun = std::mem::take(&mut self.begun);
                return Ok(begun.then(|| without_blank_end(message)));
            }
            // A line that begins with "From " stands for itself only inside a paragraph.
            let separates = message.is_empty() || message == b"\n" || message.ends_with(b"\n\n");
            if line.starts_with(b"From ") && (!self.begun || separates) {
                if std::mem::replace(&mut self.begun, true) && !message.is_empty() {
                    return Ok(Some(without_blank_end(message)));
                }
                continue;
            }
            let quotes = line.iter().take_while(|&&octet| octet == b'>').count();
            let quoted = quotes > 0 && line.get(quotes..).is_some_and(|l| l.starts_with(b"From "));
            message.extend_from_slice(line.get(usize::from(quoted)..).unwrap_or_default());
        }
    }
}

/// All files below a folder, but hidden ones.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The `From ` line some collections keep in front of a message is no part of it.
fn without_from_line(mut message: Vec<u8>) -> Vec<u8> {
    if message.starts_with(b"From ") {
        let end = message.iter().position(|&octet| octet == b'\n');
        message.drain(..end.map_or(message.len(), |end| end + 1));
    }
    message
}

/// The blank line that separates messages in an mbox belongs to neither.
fn without_blank_end(mut message: Vec<u8>) -> Vec<u8> {
    if message == b"\n" || message.ends_with(b"\n\n") {
        message.pop();
    }
    message
}

const SAMPLES: [&[u8]; 7] = [
    include_bytes!("../samples/1-plain.eml"),
    include_bytes!("../samples/2-dots.eml"),
    include_bytes!("../samples/3-no-end.eml"),
    include_bytes!("../samples/4-latin1.eml"),
    include_bytes!("../samples/5-header-only.eml"),
    include_bytes!("../samples/6-crlf.eml"),
    include_bytes!("../samples/7-attachment.eml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Vec<String> {
        let letters = Letters::open(path).unwrap();
        letters.map(|letter| String::from_utf8(letter.unwrap()).unwrap()).collect()
    }

    #[test]
    fn an_mbox_is_cut_at_from_lines_and_unquoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let text = "From a Mon\nSubject: 1\n\n>From x\n>>From y\n> z\nFrom here on\n\n\
                    From b Tue\n\nFrom c Wed\nSubject: 3\n\nlast";
        fs::write(&path, text).unwrap();
        assert_eq!(
            read(&path),
            ["Subject: 1\n\nFrom x\n>From y\n> z\nFrom here on\n", "", "Subject: 3\n\nlast"]
        );
    }

    #[test]
    fn folders_and_maildirs_give_a_message_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(Letters::open(path).is_err(), "an empty folder");
        fs::create_dir(path.join("sub")).unwrap();
        fs::write(path.join("sub/b.eml"), "From a Mon\nB: 1\n").unwrap();
        fs::write(path.join("a.eml"), "A: 1\n").unwrap();
        fs::write(path.join(".hidden"), "x").unwrap();
        assert_eq!(read(path), ["A: 1\n", "B: 1\n"]);
        assert_eq!(read(&path.join("a.eml")), ["A: 1\n"]);
        for sub in ["new", "cur", "tmp"] {
            fs::create_dir(path.join(sub)).unwrap();
        }
        fs::write(path.join("new/1"), "N: 1\n").unwrap();
        fs::write(path.join("tmp/2"), "T: 1\n").unwrap();
        assert_eq!(read(path), ["N: 1\n"]);
    }
}

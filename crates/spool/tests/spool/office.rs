//! A Maildir in a temporary folder, seen by the store and by everybody else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use restante_host::Host;
use restante_maildrop::{Body, Marks, MessageNumber, Octets, Owner};
use restante_spool::{Layout, Session, Spool};

pub(crate) struct Office {
    pub(crate) folder: tempfile::TempDir,
}

impl Office {
    /// An office with an empty Maildir in it.
    pub(crate) fn new() -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap() };
        for directory in ["tmp", "new", "cur"] {
            std::fs::create_dir_all(office.maildir().join(directory)).unwrap();
        }
        office
    }

    pub(crate) fn maildir(&self) -> PathBuf {
        self.folder.path().join("mail/fred/Maildir")
    }

    pub(crate) fn spool(&self, host: Host) -> Spool {
        Spool::new(host, self.layout())
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::parse("{data}/mail/{user}/Maildir", self.folder.path()).unwrap()
    }

    /// Opens a session as a fresh process would.
    pub(crate) fn open(&self) -> Session {
        self.spool(Host::real()).open(&fred(), "a test").unwrap()
    }

    /// What another program delivers, `name` with its directory.
    pub(crate) fn put(&self, name: &str, contents: &[u8]) {
        std::fs::write(self.maildir().join(name), contents).unwrap();
    }

    /// What another program renames.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        self.try_rename(from, to).unwrap();
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "other programs know nothing of durable::publish"
    )]
    pub(crate) fn try_rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        std::fs::rename(self.maildir().join(from), self.maildir().join(to))
    }

    /// The same message in another inode, as a restored backup has it.
    pub(crate) fn restore(&self, name: &str) {
        let contents = std::fs::read(self.maildir().join(name)).unwrap();
        self.put("tmp/restored", &contents);
        self.rename("tmp/restored", name);
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.maildir().join(name)).unwrap();
    }

    /// All messages by contents, whatever they are called.
    pub(crate) fn messages(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut messages = BTreeMap::new();
        for name in self.names("new").iter().chain(&self.names("cur")) {
            *messages.entry(std::fs::read(name).unwrap()).or_default() += 1;
        }
        messages
    }

    pub(crate) fn names(&self, directory: &str) -> Vec<PathBuf> {
        names(&self.maildir().join(directory))
    }
}

pub(crate) fn names(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

pub(crate) fn fred() -> Owner {
    Owner::new("fred").unwrap()
}

/// Unique-ids and sizes in order.
pub(crate) fn listing(session: &Session) -> Vec<(String, u64)> {
    let snapshot = session.snapshot();
    let message =
        |n| (snapshot.unique_id(n).unwrap().to_owned(), snapshot.octets(n).unwrap().to_u64());
    snapshot.numbers().map(message).collect()
}

pub(crate) fn ids(session: &Session) -> Vec<String> {
    listing(session).into_iter().map(|(id, _)| id).collect()
}

pub(crate) fn number(number: u32) -> MessageNumber {
    MessageNumber::new(number).unwrap()
}

pub(crate) fn marks(numbers: &[u32]) -> Marks {
    let mut marks = Marks::default();
    for &marked in numbers {
        marks.insert(number(marked), Octets::new(1));
    }
    marks
}

pub(crate) fn body(session: &mut Session, n: u32) -> Vec<u8> {
    bytes(&session.body(number(n)).unwrap())
}

pub(crate) fn bytes(body: &Body) -> Vec<u8> {
    let mut bytes = vec![0; 100_000];
    let read = body.read_at(&mut bytes, 0).unwrap();
    bytes.truncate(read);
    bytes
}

/// Runs what is asynchronous.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

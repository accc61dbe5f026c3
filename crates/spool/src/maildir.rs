//! A Maildir's directories: paths, listing, creation.
//!
//! In: a path. Out: the names in `new/` and `cur/`, in the order of delivery, with stamps that
//! change whenever a name does. Fails as the system calls do; a missing `new/` or `cur/` is an
//! empty one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use restante_host::{Fs, Stat};

use crate::name;

/// A Maildir, whether it exists or not.
#[derive(Debug, Clone)]
pub(crate) struct Maildir {
    path: PathBuf,
}

/// Where in a Maildir a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// No program has shown it yet.
    New,
    /// Some program has taken notice of it; the name carries flags.
    Cur,
}

/// A name that was listed.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) name: Box<[u8]>,
    /// Told by the name, parsed once: listings are sorted by it.
    pub(crate) delivered: (u64, u64),
}

/// What both directories looked like: equal stamps mean equal listings, unless a change fell into
/// the same tick of the file system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamps {
    pub(crate) new: Stamp,
    pub(crate) cur: Stamp,
}

/// A directory's times (nanoseconds since 1970) and inode; all zero when it is missing. The time
/// of the last inode change is there because a restored backup brings the other two back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: u64,
    pub(crate) changed: u64,
    pub(crate) inode: u64,
}

impl Maildir {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where deliveries are written.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path.join("tmp")
    }

    pub(crate) fn directory(&self, place: Place) -> PathBuf {
        self.path.join(match place {
            Place::New => "new",
            Place::Cur => "cur",
        })
    }

    pub(crate) fn message(&self, place: Place, name: &[u8]) -> PathBuf {
        self.directory(place).join(OsStr::from_bytes(name))
    }

    pub(crate) fn stamps(&self, fs: &dyn Fs) -> io::Result<Stamps> {
        let stamp = |place| match fs.stat(&self.directory(place)) {
            Ok(stat) => Ok(Stamp::of(&stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stamp::default()),
            Err(error) => Err(error),
        };
        Ok(Stamps { new: stamp(Place::New)?, cur: stamp(Place::Cur)? })
    }

    /// Lists both directories, sorted, with the stamps they had before.
    pub(crate) fn scan(&self, fs: &dyn Fs) -> io::Result<(Vec<Found>, Stamps)> {
        let mut before = self.stamps(fs)?;
        for _ in 1..SCANS_MAX {
            let found = self.list(fs)?;
            let after = self.stamps(fs)?;
            if before == after {
                return Ok((found, before));
            }
            // A name that changes while its directory is read may be missed or seen twice.
            before = after;
        }
        Ok((self.list(fs)?, before))
    }

    fn list(&self, fs: &dyn Fs) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        // In this order a message that moves from new/ to cur/ meanwhile is seen at least once.
        for place in [Place::New, Place::Cur] {
            let listed = fs.read_dir(&self.directory(place), &mut |name| {
                let name = name.as_bytes();
                if name::is_message(name) {
                    let delivered = name::delivered(name::base(name));
                    found.push(Found { place, name: name.into(), delivered });
                }
            });
            match listed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        found.sort_unstable_by(|a, b| {
            let by_time = a.delivered.cmp(&b.delivered);
            let by_base = || name::base(&a.name).cmp(name::base(&b.name));
            by_time.then_with(by_base).then_with(|| (a.place, &a.name).cmp(&(b.place, &b.name)))
        });
        Ok(found)
    }

    /// Removes what crashes left in `tmp/`. Best effort: a leftover is a waste and no more.
    pub(crate) fn sweep(&self, fs: &dyn Fs, now: SystemTime) {
        let mut leftovers = Vec::new();
        let temporary = self.temporary();
        let swept = fs.read_dir(&temporary, &mut |name| leftovers.push(temporary.join(name)));
        let is_stale = |stat: &Stat| {
            stat.is_file && now.duration_since(stat.modified).is_ok_and(|age| age > STALE_AGE)
        };
        let swept = swept.and_then(|()| {
            leftovers.iter().filter(|path| fs.stat(path).as_ref().is_ok_and(is_stale)).try_for_each(
                |path| {
                    tracing::info!(path = %path.display(), "removing an abandoned delivery");
                    fs.unlink(path)
                },
            )
        });
        if let Err(error) = swept {
            tracing::debug!(path = %temporary.display(), %error, "cannot sweep");
        }
    }

    /// Creates what is missing of the Maildir and of the path to it. Afterwards everything down
    /// from `root` would survive a power cut, whoever created it.
    pub(crate) fn create(&self, fs: &dyn Fs, root: &Path) -> io::Result<()> {
        // Directory to sync, and whether that must work: a directory which somebody else made
        // long ago may well be one that we cannot open.
        let mut parents = BTreeMap::new();
        for parent in self.path.ancestors().take_while(|ancestor| ancestor.starts_with(root)) {
            parents.insert(parent.to_owned(), false);
        }
        let directories =
            [self.temporary(), self.directory(Place::New), self.directory(Place::Cur)];
        for directory in &directories {
            let mut missing = directory.as_path();
            while is_missing(fs, missing)? {
                let Some(parent) = missing.parent() else { break };
                parents.insert(parent.to_owned(), true);
                missing = parent;
            }
        }
        for directory in &directories {
            fs.create_dir_all(directory, DIRECTORY_MODE)?;
        }
        for (parent, required) in parents.iter().rev() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            match fs.sync_dir(parent) {
                Err(error) if !required && error.kind() == io::ErrorKind::PermissionDenied => {}
                other => other?,
            }
        }
        Ok(())
    }
}

impl Stamps {
    /// When either directory last changed, in nanoseconds since 1970.
    pub(crate) fn latest(&self) -> u64 {
        let Self { new, cur } = self;
        new.modified.max(new.changed).max(cur.modified).max(cur.changed)
    }
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        let (_, inode) = stat.identity;
        Self { modified: nanoseconds(stat.modified), changed: nanoseconds(stat.changed), inode }
    }
}

/// Nanoseconds since 1970; enough until 2554.
pub(crate) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn is_missing(fs: &dyn Fs, path: &Path) -> io::Result<bool> {
    if path.as_os_str().is_empty() {
        return Ok(false);
    }
    match fs.stat(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// A directory that changes during each of so many listings is taken as last seen.
const SCANS_MAX: usize = 4;
/// By the custom of Maildir: nobody writes one message for a day and a half.
const STALE_AGE: Duration = Duration::from_secs(36 * 3600);
const DIRECTORY_MODE: u32 = 0o700;

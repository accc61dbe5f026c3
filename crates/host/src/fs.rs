//! Files and directories as a narrow trait, and the real file system behind it.
//!
//! The calls are those a mail store needs and no more, each close to one system call, so that a
//! simulator can implement them exactly and a test can fail the n-th of them. Opening never
//! follows a symbolic link in the last component and never yields anything but a regular file:
//! a FIFO or a link planted in somebody's Maildir is an error, not a hang or an escape.
//!
//! What root creates in a folder of somebody else becomes that owner's (see `ownership`), so that
//! a command which root runs once does not lock out a server that runs as the owner of the mail.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::ownership;

/// What a file system can be asked to do.
pub trait Fs: fmt::Debug + Send + Sync {
    /// Opens an existing regular file for reading.
    ///
    /// # Errors
    /// As the system call; [`io::ErrorKind::InvalidInput`] when it is not a regular file.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>>;

    /// Creates a file that must not exist yet, for writing. `mode` is cut by the umask.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken.
    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>>;

    /// Opens a file for appending, creating it when it is missing.
    ///
    /// # Errors
    /// As the system call.
    fn append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>>;

    /// Renames, replacing what has the new name.
    ///
    /// # Errors
    /// As the system call.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames to a name that must be free.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken; nothing has changed then. After
    /// another error the file may have both names: not every file system does it in one step.
    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives `to` the permissions, the owner and the group that `from` has. A file system that
    /// knows nothing of these has nothing to do.
    ///
    /// # Errors
    /// As the system calls; only root can give a file to somebody else.
    fn copy_access(&self, from: &Path, to: &Path) -> io::Result<()> {
        let _ = (from, to);
        Ok(())
    }

    /// Removes a file's name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when somebody else removed it first.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its missing parents; one that exists is fine.
    ///
    /// # Errors
    /// As the system call.
    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Calls `each` with every name in a directory but `.` and `..`, in no order.
    ///
    /// # Errors
    /// As the system call; a listing that fails half-way is an error, never a short listing.
    fn read_dir(&self, path: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()>;

    /// Size, times and identity, not following a link.
    ///
    /// # Errors
    /// As the system call.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Returns once the directory's entries would survive a power cut.
    ///
    /// # Errors
    /// As the system call. After an error nothing may be assumed durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file (created when missing) if nobody has it.
    ///
    /// The lock belongs to the open file, so it is gone when its holder is, however it died.
    ///
    /// # Errors
    /// As the system calls; a lock that is held is `Ok(None)`.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;

    /// The same for a lock that several may have, but not beside an exclusive one.
    ///
    /// # Errors
    /// As [`Fs::try_lock`].
    fn try_lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A file open for writing at its end.
pub trait File: fmt::Debug + Send {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As the system call; how much was written is then unknown.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once the contents would survive a power cut.
    ///
    /// # Errors
    /// As the system call. The file is poisoned then: a second call may lie.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to `len` octets.
    ///
    /// # Errors
    /// As the system call.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// A file open for reading at any offset, by several readers at once.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Reads up to `buffer.len()` octets at `offset`; 0 is the end of the file.
    ///
    /// # Errors
    /// As the system call.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Size, times and identity of the open file.
    ///
    /// # Errors
    /// As the system call.
    fn stat(&self) -> io::Result<Stat>;
}

/// A lock; dropping it releases it.
pub trait Lock: fmt::Debug + Send + Sync {
    /// Replaces the lock file's text, which tells others who holds it. A hint for people only.
    ///
    /// # Errors
    /// As the system calls; the lock is held all the same.
    fn describe(&mut self, holder: &str) -> io::Result<()>;
}

/// What `stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Octets in the file.
    pub octets: u64,
    /// When the contents (of a directory: the entries) last changed.
    pub modified: SystemTime,
    /// When anything about the inode last changed; no program can set it.
    pub changed: SystemTime,
    /// Device and inode: equal means the same file.
    pub identity: (u64, u64),
    /// A regular file.
    pub is_file: bool,
    /// A directory.
    pub is_dir: bool,
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFs;

impl Fs for HostFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        // NONBLOCK so that a planted FIFO cannot hang the open; it has no effect on files.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = HostFile(fs::openat(CWD, path, flags, Mode::empty())?);
        file.refuse_irregular()?;
        Ok(Arc::new(file))
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        let flags = OFlags::WRONLY | WRITE_FLAGS;
        Ok(Box::new(HostFile(ownership::create_new(path, flags, mode)?)))
    }

    fn append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        let flags = OFlags::WRONLY | OFlags::APPEND | WRITE_FLAGS;
        let file = HostFile(ownership::open_or_create(path, flags, mode)?);
        file.refuse_irregular()?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(fs::renameat(CWD, from, CWD, to)?)
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        match fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some network and FUSE file systems lack the flag; a link says the same.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_unlink(from, to),
            other => Ok(other?),
        }
    }

    fn copy_access(&self, from: &Path, to: &Path) -> io::Result<()> {
        ownership::copy(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        Ok(fs::unlinkat(CWD, path, AtFlags::empty())?)
    }

    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        ownership::create_dir_all(path, mode)
    }

    fn read_dir(&self, path: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::openat(CWD, path, flags, Mode::empty())?;
        for entry in fs::Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                each(OsStr::from_bytes(name));
            }
        }
        Ok(())
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(stat_of(&fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(fs::fsync(fs::openat(CWD, path, flags, Mode::empty())?)?)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        flock(path, FlockOperation::NonBlockingLockExclusive)
    }

    fn try_lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        flock(path, FlockOperation::NonBlockingLockShared)
    }
}

fn flock(path: &Path, operation: FlockOperation) -> io::Result<Option<Box<dyn Lock>>> {
    let file = HostFile(ownership::open_or_create(path, OFlags::RDWR | WRITE_FLAGS, 0o600)?);
    file.refuse_irregular()?;
    match fs::flock(&file.0, operation) {
        Ok(()) => Ok(Some(Box::new(HostLock(file)))),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug)]
struct HostFile(OwnedFd);

impl HostFile {
    fn refuse_irregular(&self) -> io::Result<()> {
        if ReadAt::stat(self)?.is_file {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }
}

impl File for HostFile {
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.0, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fs::fdatasync(&self.0)?)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        Ok(fs::ftruncate(&self.0, len)?)
    }
}

impl ReadAt for HostFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match rustix::io::pread(&self.0, &mut *buffer, offset) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(stat_of(&fs::fstat(&self.0)?))
    }
}

#[derive(Debug)]
struct HostLock(HostFile);

impl Lock for HostLock {
    fn describe(&mut self, holder: &str) -> io::Result<()> {
        self.0.truncate(0)?;
        fs::seek(&self.0.0, fs::SeekFrom::Start(0))?;
        self.0.write_all(holder.as_bytes())
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        // Closing is not enough while a child that was just forked still has a copy of the file.
        let _ = fs::flock(&self.0.0, FlockOperation::Unlock);
    }
}

fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    fs::linkat(CWD, from, CWD, to, AtFlags::empty())?;
    Ok(fs::unlinkat(CWD, from, AtFlags::empty())?)
}

fn stat_of(raw: &fs::Stat) -> Stat {
    let kind = FileType::from_raw_mode(raw.st_mode);
    Stat {
        octets: u64::try_from(raw.st_size).unwrap_or(0),
        modified: time_of(raw.st_mtime, raw.st_mtime_nsec),
        changed: time_of(raw.st_ctime, raw.st_ctime_nsec),
        identity: (raw.st_dev, raw.st_ino),
        is_file: kind == FileType::RegularFile,
        is_dir: kind == FileType::Directory,
    }
}

fn time_of(seconds: i64, nanoseconds: u64) -> SystemTime {
    let nanoseconds = Duration::from_nanos(nanoseconds);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    base.and_then(|time| time.checked_add(nanoseconds)).unwrap_or(SystemTime::UNIX_EPOCH)
}

const WRITE_FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in for a rename where that cannot refuse a name that is taken.
    #[test]
    fn r39_a_link_and_an_unlink_overwrite_nothing_either() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        std::fs::write(&from, "new").unwrap();
        std::fs::write(&to, "old").unwrap();
        let taken = link_and_unlink(&from, &to).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&to).unwrap(), b"old");
        std::fs::remove_file(&to).unwrap();
        link_and_unlink(&from, &to).unwrap();
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
    }
}

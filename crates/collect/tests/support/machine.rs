//! A machine that can be switched off at any change it makes to the disk, and whose clock is set
//! by hand. Syncs cost nothing: what is tested is the order of things, not the disk.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use restante_host::{Clock, File, Fs, Host, HostClock, HostFs, HostRng, Lock, ReadAt, Stat};

/// Burns down by one with each change to the disk; what happens when it is burnt down fails.
#[derive(Debug, Clone)]
pub(crate) struct Fuse {
    left: Arc<AtomicI64>,
    /// Whether the change at which it burns down still happens, unseen by who asked for it.
    last_happens: bool,
}

impl Fuse {
    /// Never burns down.
    pub(crate) fn long() -> Self {
        Self { left: Arc::new(AtomicI64::new(i64::MAX)), last_happens: false }
    }

    pub(crate) fn of(changes: i64, last_happens: bool) -> Self {
        Self { left: Arc::new(AtomicI64::new(changes)), last_happens }
    }

    pub(crate) fn is_burnt(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        let off = || io::Error::other("the machine is off");
        match left {
            1.. => change(),
            0 if self.last_happens => change().and_then(|_| Err(off())),
            _ => Err(off()),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) fuse: Fuse,
    /// Seconds since 1970.
    pub(crate) now: Arc<AtomicU64>,
}

impl Default for Machine {
    fn default() -> Self {
        Self { fuse: Fuse::long(), now: Arc::new(AtomicU64::new(1_000_000_000)) }
    }
}

impl Machine {
    pub(crate) fn host(&self) -> Host {
        Host { fs: Arc::new(self.clone()), clock: Arc::new(self.clone()), rng: Arc::new(HostRng) }
    }

    pub(crate) fn pass_days(&self, days: u64) {
        self.now.fetch_add(days * 24 * 60 * 60, Ordering::SeqCst);
    }
}

impl Clock for Machine {
    fn monotonic(&self) -> Instant {
        HostClock.monotonic()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.now.load(Ordering::SeqCst))
    }
}

impl Fs for Machine {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        HostFs.open(path)
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        let file = self.fuse.change(|| HostFs.create_new(path, mode))?;
        Ok(Box::new(MachineFile { file, fuse: self.fuse.clone() }))
    }

    fn append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        let file = self.fuse.change(|| HostFs.append(path, mode))?;
        Ok(Box::new(MachineFile { file, fuse: self.fuse.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fuse.change(|| HostFs.rename(from, to))
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fuse.change(|| HostFs.rename_no_replace(from, to))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.fuse.change(|| HostFs.unlink(path))
    }

    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.fuse.change(|| HostFs.create_dir_all(path, mode))
    }

    fn read_dir(&self, path: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        HostFs.read_dir(path, each)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        HostFs.stat(path)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.fuse.change(|| Ok(()))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        HostFs.try_lock(path)
    }

    fn try_lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        HostFs.try_lock_shared(path)
    }
}

#[derive(Debug)]
struct MachineFile {
    file: Box<dyn File>,
    fuse: Fuse,
}

impl File for MachineFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.fuse.change(|| self.file.write_all(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fuse.change(|| Ok(()))
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.fuse.change(|| self.file.truncate(len))
    }
}

//! A file system that counts its calls and fails those a test picks, and clocks that stand.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use restante_host::{Clock, File, Fs, Host, HostClock, HostFs, HostRng, Lock, ReadAt, Rng, Stat};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Create,
    Append,
    Rename,
    Unlink,
    CreateDir,
    ReadDir,
    Stat,
    SyncDir,
    Lock,
    Write,
    Sync,
    Truncate,
    Read,
}

pub(crate) const KINDS: [Kind; 14] = [
    Kind::Open,
    Kind::Create,
    Kind::Append,
    Kind::Rename,
    Kind::Unlink,
    Kind::CreateDir,
    Kind::ReadDir,
    Kind::Stat,
    Kind::SyncDir,
    Kind::Lock,
    Kind::Write,
    Kind::Sync,
    Kind::Truncate,
    Kind::Read,
];

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// Counted from 0 over calls of all kinds since the plan was made.
    pub(crate) at: usize,
    /// Counted from 0 over calls of this kind.
    pub(crate) of_kind: usize,
}

type Plan = Box<dyn Fn(&Call) -> Option<io::ErrorKind> + Send>;

#[derive(Clone, Default)]
pub(crate) struct FaultyFs {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    plan: Option<Plan>,
    failed: usize,
    links: bool,
}

impl std::fmt::Debug for FaultyFs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyFs")
    }
}

impl FaultyFs {
    /// Forgets the calls so far and fails those for which `plan` has an error.
    pub(crate) fn plan(&self, plan: impl Fn(&Call) -> Option<io::ErrorKind> + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        *state = State { plan: Some(Box::new(plan)), ..State::default() };
    }

    /// The process stops before the call `at`: no later call does anything.
    pub(crate) fn crash_at(&self, at: usize) {
        self.plan(move |call| (call.at >= at).then_some(io::ErrorKind::BrokenPipe));
    }

    /// Renames consist of a link and an unlink, and when they fail it is the unlink that does.
    pub(crate) fn link_when_renames_fail(&self) {
        self.state.lock().unwrap().links = true;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.calls().iter().filter(|call| call.kind == kind).count()
    }

    /// How many calls failed by plan.
    pub(crate) fn failed(&self) -> usize {
        self.state.lock().unwrap().failed
    }

    pub(crate) fn host(&self) -> Host {
        Host { fs: Arc::new(self.clone()), clock: Arc::new(HostClock), rng: Arc::new(HostRng) }
    }

    fn enter(&self, kind: Kind, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let of_kind = state.calls.iter().filter(|call| call.kind == kind).count();
        let call = Call { kind, path: path.to_owned(), at: state.calls.len(), of_kind };
        let error = state.plan.as_ref().and_then(|plan| plan(&call));
        state.calls.push(call);
        match error {
            Some(error) => {
                state.failed += 1;
                Err(error.into())
            }
            None => Ok(()),
        }
    }
}

impl Fs for FaultyFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        self.enter(Kind::Open, path)?;
        let inner = HostFs.open(path)?;
        Ok(Arc::new(FaultyRead { fs: self.clone(), path: path.to_owned(), inner }))
    }

    fn create_new(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        self.enter(Kind::Create, path)?;
        let inner = HostFs.create_new(path, mode)?;
        Ok(Box::new(FaultyFile { fs: self.clone(), path: path.to_owned(), inner }))
    }

    fn append(&self, path: &Path, mode: u32) -> io::Result<Box<dyn File>> {
        self.enter(Kind::Append, path)?;
        let inner = HostFs.append(path, mode)?;
        Ok(Box::new(FaultyFile { fs: self.clone(), path: path.to_owned(), inner }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.enter(Kind::Rename, to)?;
        HostFs.rename(from, to)
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let entered = self.enter(Kind::Rename, to);
        if entered.is_err() && self.state.lock().unwrap().links {
            std::fs::hard_link(from, to)?;
        }
        entered?;
        HostFs.rename_no_replace(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.enter(Kind::Unlink, path)?;
        HostFs.unlink(path)
    }

    fn create_dir_all(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.enter(Kind::CreateDir, path)?;
        HostFs.create_dir_all(path, mode)
    }

    fn read_dir(&self, path: &Path, each: &mut dyn FnMut(&OsStr)) -> io::Result<()> {
        self.enter(Kind::ReadDir, path)?;
        HostFs.read_dir(path, each)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.enter(Kind::Stat, path)?;
        HostFs.stat(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.enter(Kind::SyncDir, path)?;
        HostFs.sync_dir(path)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.enter(Kind::Lock, path)?;
        HostFs.try_lock(path)
    }

    fn try_lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.enter(Kind::Lock, path)?;
        HostFs.try_lock_shared(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    fs: FaultyFs,
    path: PathBuf,
    inner: Box<dyn File>,
}

impl File for FaultyFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A write that fails has written something all the same.
        let entered = self.fs.enter(Kind::Write, &self.path);
        self.inner.write_all(if entered.is_err() { &bytes[..bytes.len() / 2] } else { bytes })?;
        entered
    }

    fn sync(&mut self) -> io::Result<()> {
        self.fs.enter(Kind::Sync, &self.path)?;
        self.inner.sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.fs.enter(Kind::Truncate, &self.path)?;
        self.inner.truncate(len)
    }
}

#[derive(Debug)]
struct FaultyRead {
    fs: FaultyFs,
    path: PathBuf,
    inner: Arc<dyn ReadAt>,
}

impl ReadAt for FaultyRead {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.fs.enter(Kind::Read, &self.path)?;
        self.inner.read_at(buffer, offset)
    }

    fn stat(&self) -> io::Result<Stat> {
        self.inner.stat()
    }
}

/// The real time and some more: what was written just now is old.
#[derive(Debug)]
pub(crate) struct LaterClock(pub(crate) Duration);

impl Clock for LaterClock {
    fn monotonic(&self) -> Instant {
        HostClock.monotonic()
    }

    fn wall(&self) -> SystemTime {
        HostClock.wall() + self.0
    }
}

/// Always the same moment.
#[derive(Debug)]
pub(crate) struct StandingClock;

impl Clock for StandingClock {
    fn monotonic(&self) -> Instant {
        HostClock.monotonic()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }
}

/// No randomness at all.
#[derive(Debug)]
pub(crate) struct ZeroRng;

impl Rng for ZeroRng {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0);
        Ok(())
    }
}

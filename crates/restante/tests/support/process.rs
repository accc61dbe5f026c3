//! Child processes. Each one is ended when its handle goes, none is waited for without a bound,
//! and what it wrote to standard error is part of every complaint.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags, Signal};

/// No child and no answer takes this long unless something hangs.
pub(crate) const PATIENCE_S: u16 = 300;

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    stderr: PathBuf,
    ended: Option<ExitStatus>,
}

/// What a child that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts a child whose standard error goes to a file in `folder`. Standard input and output
    /// are the caller's to set.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Self {
        let (file, stderr) = tempfile::Builder::new()
            .prefix(name)
            .suffix(".stderr")
            .tempfile_in(folder)
            .unwrap()
            .keep()
            .unwrap();
        // In a group of its own, so that what it starts ends with it: strace would leave the
        // process it watches behind.
        let child = command
            .process_group(0)
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} ({command:?}) does not start: {error}"));
        Self { name: name.to_owned(), child, stderr, ended: None }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it has written to standard error so far.
    pub(crate) fn complaints(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap()).into_owned()
    }

    /// Waits until it has written `text` to standard error this often.
    pub(crate) fn wait_for(&self, text: &str, times: usize) {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, &self.stderr, inotify::WatchFlags::MODIFY).unwrap();
        while self.complaints().matches(text).count() < times {
            assert!(!self.ends_before(&watch), "{text} was not said before the end");
            let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
            inotify::Reader::new(&watch, &mut buffer).next().unwrap();
        }
    }

    /// Waits until `other` is readable (false) or the child has ended (true).
    pub(crate) fn ends_before(&self, other: impl std::os::fd::AsFd) -> bool {
        let pidfd = self.pidfd();
        let mut fds = [
            PollFd::new(&other, PollFlags::IN),
            PollFd::from_borrowed_fd(std::os::fd::AsFd::as_fd(&pidfd), PollFlags::IN),
        ];
        self.poll(&mut fds);
        fds[0].revents().is_empty()
    }

    /// Waits for the end of the child.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        let pidfd = self.pidfd();
        self.poll(&mut [PollFd::new(&pidfd, PollFlags::IN)]);
        self.end()
    }

    /// Waits that long for the end of the child.
    pub(crate) fn ends_within(&mut self, time: std::time::Duration) -> Option<ExitStatus> {
        let pidfd = self.pidfd();
        let time = Timespec::try_from(time).unwrap();
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        let ended = rustix::event::poll(&mut fds, Some(&time)).unwrap() > 0;
        ended.then(|| self.end())
    }

    /// Asks the child to end (SIGTERM) and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Interrupts the child alone (SIGINT) and waits until it has ended.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        if let Some(status) = self.ended {
            return status;
        }
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.wait()
    }

    /// Tells the child that something it reads has changed (SIGHUP).
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ends the child without giving it a chance (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// The most memory the running child has had resident, in KiB.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Kills what is left of the group, and takes the child's status. In this order: as long as
    /// nobody has taken it, no other group can have the number.
    fn end(&mut self) -> ExitStatus {
        let _ = rustix::process::kill_process_group(self.group(), Signal::KILL);
        let status = self.child.wait().unwrap();
        self.ended = Some(status);
        status
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process_group(self.group(), signal).unwrap();
    }

    fn pidfd(&self) -> std::os::fd::OwnedFd {
        rustix::process::pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()).unwrap()
    }

    fn poll(&self, fds: &mut [PollFd<'_>]) {
        let patience = Timespec { tv_sec: PATIENCE_S.into(), tv_nsec: 0 };
        let ready = loop {
            match rustix::event::poll(fds, Some(&patience)) {
                Err(error) if error == rustix::io::Errno::INTR => {}
                other => break other.unwrap(),
            }
        };
        assert!(ready > 0, "{} hangs; it said:\n{}", self.name, self.complaints());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        // Dovecot ends its own children only when it is asked to end.
        let _ = rustix::process::kill_process_group(self.group(), Signal::TERM);
        let patience = Timespec { tv_sec: 5, tv_nsec: 0 };
        if let Ok(pidfd) = rustix::process::pidfd_open(self.group(), PidfdFlags::empty()) {
            let _ = rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience));
        }
        self.end();
    }
}

/// Runs a command to its end with nothing on standard input.
pub(crate) fn run(name: &str, folder: &Path, command: &mut Command) -> Ended {
    run_on(name, folder, command, Stdio::null())
}

/// Runs a command to its end with this standard input.
pub(crate) fn run_on(
    name: &str,
    folder: &Path,
    command: &mut Command,
    stdin: impl Into<Stdio>,
) -> Ended {
    let stdout = tempfile::tempfile_in(folder).unwrap();
    let mut process =
        Process::start(name, folder, command.stdin(stdin).stdout(stdout.try_clone().unwrap()));
    let status = process.wait();
    Ended { status, stdout: read_from_start(stdout).unwrap(), stderr: process.complaints() }
}

impl Ended {
    /// The end, if it was a good one.
    pub(crate) fn success(self, what: &str) -> Self {
        assert!(
            self.status.success(),
            "{what}: {}\n{}{}",
            self.status,
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        self
    }
}

/// Fails, and says what to do, where a program is not installed.
pub(crate) fn need(program: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .any(|folder| folder.join(program).is_file());
    assert!(found, "{program} is not installed; ./test.sh installs it or leaves its tests out");
}

fn read_from_start(mut file: File) -> io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _};
    file.rewind()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

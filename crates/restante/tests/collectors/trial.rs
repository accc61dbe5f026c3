//! One collector and one fault: a run in which it happens, then runs in peace, then the counting.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use restante_testserver::{Listening, Server};

use crate::fault::{Fault, MESSAGES, last_line};
use crate::support::maildir;
use crate::support::process::Process;
use crate::tool::Tool;

/// Runs in peace after the one that goes wrong.
const CLEAN_RUNS: usize = 3;
/// How long another collector may take for a run before it counts as one that never ends.
const LOOKS_MAX: u32 = 300;
const LOOK: Duration = Duration::from_millis(100);
/// Of the disk that gets full.
const DISK: &str = "size=96k";
const DISK_WITH_ROOM: &str = "remount,size=64m";

/// What came of it.
#[derive(Debug)]
pub(crate) struct Trial {
    tool: Tool,
    fault: Fault,
    runs: Vec<Run>,
    /// Whole copies of each message.
    copies: [usize; MESSAGES],
    /// Files that hold no whole message.
    torn: usize,
    /// Messages still on the server.
    left: Vec<usize>,
}

/// A run, and how things stood behind it.
#[derive(Debug)]
struct Run {
    end: End,
    stdout: String,
    /// Copies that this run stored.
    stored: usize,
    /// Whether every message is stored and none is where it should not be.
    all_is_done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Exit(i32),
    /// A signal that nobody here sent.
    Crash,
    /// It was killed because that is the fault.
    Killed,
    /// It was killed because it does not end.
    Endless,
}

impl Trial {
    pub(crate) fn run(tool: Tool, fault: Fault) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let server = fault.server();
        let disk = (fault == Fault::FullDisk).then(|| Disk::small(folder.path()));
        let home = disk.as_ref().map_or_else(|| folder.path().to_owned(), Disk::seen_from_here);
        let scene = Scene { tool, fault, listening: server.listen(), server, folder, home, disk };
        let mut runs = Vec::new();
        if fault.keeps_mail() {
            let before = scene.run(false, false);
            assert!(before.all_is_done && before.end == End::Exit(0), "{tool:?}: {before:?}");
        }
        fault.begin(&scene.server);
        runs.push(scene.run(fault.kills(), false));
        Fault::end(&scene.server);
        if let Some(disk) = &scene.disk {
            disk.mount(DISK_WITH_ROOM);
        }
        runs.extend((0..CLEAN_RUNS).map(|run| scene.run(false, run > 0)));
        let (copies, torn) = scene.copies();
        Self { tool, fault, runs, copies, torn, left: scene.left() }
    }

    /// Every message once, none lost, none torn, and each run told the truth.
    pub(crate) fn assert_perfect(&self) {
        assert_eq!((self.copies, self.torn), ([1; MESSAGES], 0), "{self:?}");
        assert_eq!(self.is_done(), Ok(()), "{self:?}");
        assert!(self.is_true(), "{self:?}");
        for (index, run) in self.runs.iter().enumerate() {
            // A killed one says nothing, and only what a kill may do ends without a code.
            if run.end == End::Killed && self.fault == Fault::Kill {
                continue;
            }
            // Only a disk that is full needs somebody to look.
            let may_be = run.end == End::Exit(1) && self.fault == Fault::FullDisk;
            assert!(may_be || matches!(run.end, End::Exit(0 | 75)), "{self:?}");
            let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(report["fetched"], run.stored, "{self:?}");
            // After a lost reply it may all be done, but nobody can say so.
            let claims = report["error"].is_null() && report["failed"] == 0;
            assert!(claims == run.all_is_done || (index == 0 && !claims), "{self:?}");
        }
        assert_eq!(self.runs.last().map(|run| run.end), Some(End::Exit(0)), "{self:?}");
    }

    /// The cell of the table.
    pub(crate) fn cell(&self) -> String {
        let mut says = Vec::new();
        if self.copies == [1; MESSAGES] {
            says.push("each once".to_owned());
        } else {
            for (count, word) in [(1, "once"), (2, "**twice**"), (3, "**three times**")] {
                says.extend(numbers(self.with_copies(count)).map(|who| format!("{who} {word}")));
            }
            let often = numbers((1..=MESSAGES).filter(|n| self.copies[n - 1] > 3).collect());
            says.extend(often.map(|who| format!("{who} **more often**")));
        }
        let (never, lost): (Vec<_>, Vec<_>) =
            self.with_copies(0).into_iter().partition(|number| self.left.contains(number));
        says.extend(numbers(never).map(|who| format!("{who} **never**")));
        says.extend(numbers(lost).map(|who| format!("{who} **lost**")));
        if self.torn > 0 {
            says.push(format!("**{} torn**", self.torn));
        }
        if !self.fault.keeps_mail() {
            let stored = |number: &usize| self.copies[number - 1] > 0;
            let left = self.left.iter().copied().filter(stored).collect();
            says.extend(numbers(left).map(|who| format!("{who} **still there**")));
        }
        let ends: Vec<_> = self.runs.iter().map(|run| run.end.to_string()).collect();
        let truth = if self.is_true() { "" } else { ", **untrue**" };
        format!("{}; {}{truth}", says.join(", "), ends.join(" "))
    }

    fn with_copies(&self, count: usize) -> Vec<usize> {
        (1..=MESSAGES).filter(|number| self.copies[number - 1] == count).collect()
    }

    fn is_done(&self) -> Result<(), &'static str> {
        self.runs.last().filter(|run| run.all_is_done).map(|_| ()).ok_or("something is left to do")
    }

    /// No run claimed success with work left, and none without a fault failed for nothing.
    fn is_true(&self) -> bool {
        self.runs.iter().enumerate().all(|(index, run)| {
            let End::Exit(code) = run.end else { return true };
            let claims = self.tool.claims_success(Some(code));
            let sound = index > 0 || self.fault.is_harmless();
            if claims { run.all_is_done } else { !(sound && run.all_is_done) }
        })
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "{code}"),
            Self::Crash => f.write_str("crash"),
            Self::Killed => f.write_str("killed"),
            Self::Endless => f.write_str("**never ends**"),
        }
    }
}

/// Numbers as people write them: 1-3, 5.
fn numbers(numbers: Vec<usize>) -> Option<String> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match stretches.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => stretches.push((number, number)),
        }
    }
    let stretch = |(first, last): (usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let text = stretches.into_iter().map(stretch).collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then_some(text)
}

struct Scene {
    tool: Tool,
    fault: Fault,
    server: Server,
    listening: Listening,
    folder: tempfile::TempDir,
    /// Where the collector's files are.
    home: PathBuf,
    disk: Option<Disk>,
}

impl Scene {
    /// Runs the collector; with `kill`, until the server has gone silent.
    fn run(&self, kill: bool, hurry: bool) -> Run {
        let before: usize = self.copies().0.iter().sum();
        let keep = self.fault.keeps_mail();
        let mut command = self.tool.command(&self.home, self.listening.address().port(), keep);
        if hurry {
            self.tool.hurry(&mut command);
        }
        if let Some(disk) = &self.disk {
            command = disk.inside(&command);
        }
        let out = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        command.stdin(Stdio::null()).stdout(out.reopen().unwrap());
        let mut process = Process::start("collector", self.folder.path(), &mut command);
        let end = self.end_of(&mut process, kill);
        let (copies, _) = self.copies();
        let left = self.left().len();
        Run {
            end,
            stdout: fs::read_to_string(out.path()).unwrap(),
            stored: copies.iter().sum::<usize>() - before,
            all_is_done: copies.iter().all(|&copies| copies > 0)
                && left == if keep { MESSAGES } else { 0 },
        }
    }

    fn end_of(&self, process: &mut Process, kill: bool) -> End {
        for look in 0_u32.. {
            if let Some(status) = process.ends_within(LOOK) {
                return status.code().map_or(End::Crash, End::Exit);
            }
            let endless = self.tool != Tool::Restante && look > LOOKS_MAX;
            if endless || (kill && self.server.is_silent()) {
                process.kill();
                let by_fault = !endless && self.fault == Fault::Kill;
                return if by_fault { End::Killed } else { End::Endless };
            }
        }
        unreachable!("it ends, or hangs longer than anybody waits")
    }

    /// Whole copies of each message, and how many files hold none.
    fn copies(&self) -> ([usize; MESSAGES], usize) {
        let (mut copies, mut torn) = ([0; MESSAGES], 0);
        let inbox = self.home.join("inbox");
        if !inbox.exists() {
            return (copies, torn);
        }
        for message in maildir::contents(&inbox) {
            let text = String::from_utf8_lossy(&message);
            match (1..=MESSAGES).find(|&number| text.contains(&last_line(number))) {
                Some(number) => copies[number - 1] += 1,
                None => torn += 1,
            }
        }
        (copies, torn)
    }

    fn left(&self) -> Vec<usize> {
        let texts = self.server.texts();
        let is_left = |number: &usize| texts.iter().any(|t| t.contains(&last_line(*number)));
        (1..=MESSAGES).filter(is_left).collect()
    }
}

/// A small file system in memory, in a mount namespace that one process keeps. Everything the
/// collector writes goes there, what it remembers included.
struct Disk {
    keeper: Process,
    folder: PathBuf,
}

impl Disk {
    fn small(folder: &Path) -> Self {
        let mount = folder.join("disk");
        fs::create_dir(&mount).unwrap();
        let mut command = Command::new("unshare");
        // Who is not root becomes root of a namespace of its own.
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg(format!(
            "mount -t tmpfs -o {DISK},mode=0755 tmpfs \"$0\" && echo mounted >&2 && exec cat"
        ));
        command.arg(&mount).stdin(Stdio::piped()).stdout(Stdio::null());
        let keeper = Process::start("disk", folder, &mut command);
        keeper.wait_for("mounted", 1);
        Self { keeper, folder: mount }
    }

    /// Its folder for who is not in the namespace.
    fn seen_from_here(&self) -> PathBuf {
        let folder = self.folder.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.keeper.id().to_string()).join("root").join(folder)
    }

    fn mount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", options]).arg(&self.folder);
        assert!(self.inside(&mount).status().unwrap().success(), "{options}");
    }

    /// `command` in the namespace, where the disk has its own name: the way through /proc is
    /// not open to every user a collector becomes.
    fn inside(&self, command: &Command) -> Command {
        let way = self.seen_from_here();
        let way_in = way.to_str().unwrap();
        let name = self.folder.to_str().unwrap();
        for entry in fs::read_dir(&way).unwrap() {
            let file = entry.unwrap().path();
            if file.is_file()
                && let Ok(text) = fs::read_to_string(&file)
                && text.contains(way_in)
            {
                fs::write(&file, text.replace(way_in, name)).unwrap();
            }
        }
        let named = |text: &OsStr| text.to_str().unwrap().replace(way_in, name);
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--target={}", self.keeper.id())).arg("--mount");
        if !rustix::process::getuid().is_root() {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside.arg("--").arg(command.get_program()).args(command.get_args().map(named));
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(variable, named(value)),
                None => inside.env_remove(variable),
            };
        }
        inside
    }
}

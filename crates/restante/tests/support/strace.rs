//! strace, to make the n-th system call of a kind kill the process or fail.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use super::process;

/// The kinds of calls by which a program changes what a disk or a peer sees, and the names each
/// has. A name that this machine's architecture does not have is skipped.
///
/// strace counts the calls of every name and thread for themselves, so a sweep goes through the
/// kinds, and in each through the numbers.
pub(crate) const EFFECTS: [&str; 7] = [
    "?openat,?open",
    "?write,?writev,?pwrite64",
    "?sendto,?sendmsg",
    "?fsync,?fdatasync",
    "?rename,?renameat,?renameat2",
    "?link,?linkat",
    "?unlink,?unlinkat",
];

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Injection {
    /// SIGKILL as the call is entered.
    Kill,
    /// The call fails with this error.
    Error(&'static str),
}

/// `command` under strace, where the `nth` call of each of `calls` in a thread meets its injection.
pub(crate) fn inject(command: &Command, calls: &str, injection: Injection, nth: u32) -> Command {
    process::need("strace");
    let what = match injection {
        Injection::Kill => "signal=KILL".to_owned(),
        Injection::Error(error) => format!("error={error}"),
    };
    let mut traced = Command::new("strace");
    traced.args(["--follow-forks", "--quiet=all", "--output=/dev/null"]);
    traced.arg(format!("--trace={calls}"));
    traced.arg(format!("--inject={calls}:{what}:when={nth}"));
    traced.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        traced.env(name, value.unwrap_or_else(|| OsStr::new("")));
    }
    traced.stdin(Stdio::null());
    traced
}

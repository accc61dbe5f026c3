//! Exit codes and the last line on standard error: the one map from errors to both.
//!
//! Commands end with 0 when they did what they were told, 1 when they could not, 2 when they
//! were called wrongly. `deliver` speaks to mail transfer agents and uses the codes of
//! `sysexits.h` instead: an error that carries a [`Code`] ends the process with it.

use std::ffi::OsStr;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::cli::Command;

/// How the process ends when it did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// It could not be done.
    Failure = 1,
    /// The command line was wrong.
    CommandLine = 2,
    /// `check` found a rule broken that must be kept.
    Broken = 3,
    /// `EX_USAGE`: the command line was wrong, said to a mail transfer agent.
    Usage = 64,
    /// `EX_NOUSER`: there is no such user; the mail goes back.
    NoUser = 67,
    /// `EX_TEMPFAIL`: nothing was stored; try again later.
    TryAgain = 75,
    /// `EX_CONFIG`: the configuration is wrong.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error that ends the process with a code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub(crate) struct Failure {
    code: Code,
    error: anyhow::Error,
}

impl Failure {
    /// `error`, to end with `code`.
    pub(crate) fn new(code: Code, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }
}

/// Runs a command to its exit code. A panic is a failure like any other, in one line, and ends
/// with `internal`: a mail transfer agent must not take it for a reason to send the mail back.
pub(crate) fn of(internal: Code, command: impl FnOnce() -> anyhow::Result<ExitCode>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.to_string().replace('\n', " ");
        say(&format!("restante: internal error: {what}\n"));
    }));
    match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => failure(&error),
        Err(_) => internal.into(),
    }
}

/// Says in one line why the command failed.
fn failure(error: &anyhow::Error) -> ExitCode {
    let code = error.downcast_ref::<Failure>().map_or(Code::Failure, |failure| failure.code);
    say(&format!("restante: {error:#}\n"));
    code.into()
}

/// Prints help, the version or what is wrong with the command line.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nowhere is left to report that printing failed.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let is_name = |argument: &&OsStr| Command::NAMES.iter().any(|name| argument == name);
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(AsRef::as_ref).find(is_name) {
        Some(name) if name == "deliver" => Code::Usage.into(),
        _ => Code::CommandLine.into(),
    }
}

/// Writes to standard error; the exit code still tells when nobody can read it.
fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_code() {
        let none = || anyhow::anyhow!("no");
        // An exit code cannot be compared, but shown.
        let shown = |code: ExitCode| format!("{code:?}");
        for (outcome, code) in [
            (Ok(ExitCode::SUCCESS), 0),
            (Err(none()), 1),
            (Err(Failure::new(Code::NoUser, none()).into()), 67),
            (Err(anyhow::Error::from(Failure::new(Code::TryAgain, none())).context("more")), 75),
        ] {
            assert_eq!(shown(of(Code::Failure, || outcome)), shown(ExitCode::from(code)));
        }
        let panicked = of(Code::TryAgain, || panic!("a test's panic"));
        assert_eq!(shown(panicked), shown(ExitCode::from(75)));
    }
}

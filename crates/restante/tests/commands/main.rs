//! The commands of the built binary that need no server: what they do, what they say when they
//! cannot, and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod check;
mod collect;
mod config;
mod databases;
mod deliver;
mod demo;
mod import;
#[path = "../support/mod.rs"]
mod support;
mod user;

use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

use support::{office, process};

/// A folder of its own for a test, and the binary run in it.
struct Scene {
    folder: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, with its folders, and returns its path as text.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// `restante` in the scene's folder, which is also its home.
    fn command(&self, line: &str) -> Command {
        let mut command = office::restante();
        command.current_dir(self.path()).args(line.split_whitespace());
        for variable in ["RESTANTE_CONFIG", "RESTANTE_DATA", "RESTANTE_LOG", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs `restante` with these arguments and this standard input.
    fn run(&self, line: &str, stdin: &str) -> Run {
        self.finish(&mut self.command(line), stdin)
    }

    fn finish(&self, command: &mut Command, stdin: &str) -> Run {
        let mut file = tempfile::tempfile_in(self.path()).unwrap();
        file.write_all(stdin.as_bytes()).unwrap();
        file.rewind().unwrap();
        let ended = process::run_on("run", self.path(), command, file);
        Run {
            code: ended.status.code(),
            stdout: String::from_utf8(ended.stdout).unwrap(),
            stderr: ended.stderr,
        }
    }
}

impl Run {
    /// Asserts that it did what it was told, in silence on standard error.
    fn good(self) -> Self {
        assert!(self.code == Some(0) && self.stderr.is_empty(), "{self:?}");
        self
    }

    /// Asserts that it failed so, with one line that says these things.
    fn bad(self, code: i32, says: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        for text in says {
            assert!(self.stderr.contains(text), "{text}: {self:?}");
        }
        self
    }
}

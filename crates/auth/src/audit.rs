//! The audit log: who changed what about whom, one JSON object a line, the newest last.
//!
//! In: changes that were made. Out: lines that survive a power cut once [`Audit::record`] returns.
//! The log is opened before the change, so that nothing is changed that could not be recorded;
//! what a crash in between loses is the line alone. Secrets are never in it. Only ever appended
//! to; whoever rotates it renames it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use restante_host::{File, Host, Lock, durable};
use serde_json::{Map, Value, json};

use crate::lines::{self, MODE, with_suffix};
use crate::{EditError, moment};

/// Where changes are recorded, and who makes them.
#[derive(Debug, Clone)]
pub struct AuditLog {
    host: Host,
    path: PathBuf,
    by: Map<String, Value>,
}

/// The log, open for a change about to be made. Others wait for its end.
#[derive(Debug)]
pub struct Audit<'a> {
    log: &'a AuditLog,
    file: Box<dyn File>,
    is_new: bool,
    /// What a crash has left half written is ended first.
    is_torn: bool,
    _lock: Box<dyn Lock>,
}

/// One recorded change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change(Map<String, Value>);

impl AuditLog {
    /// The log at `path`, for changes that `program` makes, run by the user `uid` (and, behind
    /// that, by whoever `sudo` names).
    #[must_use]
    pub fn new(host: Host, path: PathBuf, program: &str, uid: u32, sudo: Option<String>) -> Self {
        let mut by = Map::new();
        by.insert("program".to_owned(), program.into());
        by.insert("uid".to_owned(), uid.into());
        if let Some(sudo) = sudo {
            by.insert("sudo_user".to_owned(), sudo.into());
        }
        Self { host, path, by }
    }

    /// Opens the log for a change.
    ///
    /// # Errors
    /// [`EditError`]; the change is then better not made.
    pub fn open(&self) -> Result<Audit<'_>, EditError> {
        let fs = &*self.host.fs;
        let lock = lines::lock(fs, &with_suffix(&self.path, ".lock"))?;
        let (is_new, is_torn) = match fs.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (true, false),
            Err(error) => return Err(error.into()),
            Ok(file) => {
                let mut last = [b'\n'];
                if let Some(end) = file.stat()?.octets.checked_sub(1) {
                    file.read_at(&mut last, end)?;
                }
                (false, last != [b'\n'])
            }
        };
        let file = fs.append(&self.path, MODE)?;
        Ok(Audit { log: self, file, is_new, is_torn, _lock: lock })
    }

    /// All changes, the oldest first; lines that are none are counted.
    ///
    /// # Errors
    /// As the system calls; a log that is missing is empty.
    pub fn read(&self) -> io::Result<(Vec<Change>, usize)> {
        let contents = match durable::read(&*self.host.fs, &self.path, OCTETS_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let (mut changes, mut others) = (Vec::new(), 0);
        for line in lines::lines(&contents).filter(|line| *line != b"\n") {
            match serde_json::from_slice(line) {
                Ok(Value::Object(change)) => changes.push(Change(change)),
                _ => others += 1,
            }
        }
        Ok((changes, others))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Audit<'_> {
    /// Records that `action` was done to `user`, with further particulars.
    ///
    /// # Errors
    /// As the system calls; the change was made all the same.
    pub fn record(mut self, action: &str, user: &str, details: &[(&str, &str)]) -> io::Result<()> {
        let host = &self.log.host;
        let mut change = Map::new();
        change.insert("time".to_owned(), moment::to_text(host.clock.wall()).into());
        change.insert("action".to_owned(), action.into());
        change.insert("user".to_owned(), user.into());
        for (key, value) in details {
            change.insert((*key).to_owned(), (*value).into());
        }
        change.insert("by".to_owned(), Value::Object(self.log.by.clone()));
        let start = if self.is_torn { "\n" } else { "" };
        let line = format!("{start}{}\n", Value::Object(change));
        self.file.write_all(line.as_bytes())?;
        self.file.sync()?;
        if self.is_new {
            let folder = self.log.path.parent().filter(|path| !path.as_os_str().is_empty());
            host.fs.sync_dir(folder.unwrap_or_else(|| Path::new(".")))?;
        }
        Ok(())
    }
}

impl Change {
    /// The user it was about.
    #[must_use]
    pub fn user(&self) -> &str {
        self.0.get("user").and_then(Value::as_str).unwrap_or_default()
    }

    /// All of it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(self.0)
    }
}

impl fmt::Display for Change {
    /// `2027-01-01T00:00:00Z fred app-password-add label=phone by uid=0 program=…`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.0.get(key).and_then(Value::as_str).unwrap_or("-");
        // Names and labels are somebody's choice, and this is for a terminal.
        let shown = |text: &str| text.escape_debug().to_string();
        write!(f, "{} {} {}", shown(text("time")), shown(text("user")), shown(text("action")))?;
        let details = self.0.iter().filter(|(key, _)| !USUAL.contains(&key.as_str()));
        let by = self.0.get("by").and_then(Value::as_object);
        let by = by.into_iter().flatten();
        for (sign, key, value) in
            details.map(|(key, value)| ("", key, value)).chain(by.map(|(k, v)| ("by-", k, v)))
        {
            write!(f, " {sign}{}={}", shown(key), value)?;
        }
        Ok(())
    }
}

const USUAL: [&str; 4] = ["time", "user", "action", "by"];
/// Some two million changes; who makes more rotates the file.
const OCTETS_MAX: u64 = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn log(folder: &Path) -> AuditLog {
        AuditLog::new(Host::real(), folder.join("audit"), "test", 7, Some("anna".to_owned()))
    }

    #[test]
    fn changes_are_appended_and_read_back_whatever_is_between() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        assert_eq!(log.read().unwrap(), (Vec::new(), 0));
        log.open().unwrap().record("add", "fred", &[("scheme", "ARGON2ID")]).unwrap();
        // A crash in the middle of a line.
        std::fs::write(dir.path().join("audit"), {
            let mut contents = std::fs::read(dir.path().join("audit")).unwrap();
            contents.extend_from_slice(b"{\"time\":");
            contents
        })
        .unwrap();
        log.open().unwrap().record("remove", "fr\u{1b}ed", &[]).unwrap();
        let (changes, others) = log.read().unwrap();
        let users: Vec<_> = changes.iter().map(Change::user).collect();
        assert_eq!((users, others), (vec!["fred", "fr\u{1b}ed"], 1));
        let text = changes[0].to_string();
        assert!(text.contains("Z fred add scheme=\"ARGON2ID\" by-program=\"test\""), "{text}");
        assert!(text.contains("by-sudo_user=\"anna\"") && text.contains("by-uid=7"), "{text}");
        assert!(!changes[1].to_string().contains('\u{1b}'));
    }

    #[test]
    fn a_log_that_cannot_be_written_is_known_before_the_change() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("audit")).unwrap();
        assert!(log(dir.path()).open().is_err());
        assert!(log(&dir.path().join("nowhere")).open().is_err());
    }
}

//! A collector against a POP3 server, a destination and a disk that all fail on demand.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod machine;
pub(crate) mod server;
pub(crate) mod store;

use std::path::PathBuf;
use std::sync::Arc;

use restante_client::{Encryption, Endpoint};
use restante_collect::{Account, Collector, Leave, Report, SecretSource, SignIn};

pub(crate) use machine::{Fuse, Machine};
pub(crate) use server::{Quirks, Server};
pub(crate) use store::Memory;

/// Everything one account needs.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) machine: Machine,
    pub(crate) server: Server,
    pub(crate) store: Memory,
    pub(crate) account: Account,
}

impl World {
    pub(crate) fn new(leave: Leave, messages: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::default();
        let account = account(&folder, "fred", leave);
        let store = Memory::new(machine.fuse.clone());
        Self { server: Server::new(messages), store, machine, account, folder }
    }

    pub(crate) fn collector(&self) -> Collector {
        Collector::new(self.machine.host(), self.folder.path().join("state"))
            .dial(Arc::new(self.server.clone()))
    }

    pub(crate) async fn collect(&self) -> Report {
        self.collector().collect(&self.account, &self.store).await
    }

    /// Everything below the state folder but locks.
    pub(crate) fn state_files(&self) -> Vec<String> {
        let state = self.folder.path().join("state");
        let mut files = Vec::new();
        let mut folders = vec![state.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("lock") {
                    files.push(path.strip_prefix(&state).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("state").join(&self.state_files()[0])
    }

    /// Runs once more; nothing may go wrong.
    pub(crate) async fn collect_to_the_end(&self) -> Report {
        let report = self.collect().await;
        assert_eq!(report.error, None, "a clean run after the fault");
        report
    }
}

pub(crate) fn account(folder: &tempfile::TempDir, user: &str, leave: Leave) -> Account {
    use std::os::unix::fs::PermissionsExt;
    let password = folder.path().join("password");
    std::fs::write(&password, "pw\n").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    Account {
        name: user.into(),
        endpoint: Endpoint::new("pop.example.org", Encryption::None),
        user: user.into(),
        sign_in: SignIn::Password(SecretSource::File(password)),
        mechanism: None,
        leave,
        largest_octets: None,
        maildir: PathBuf::new(),
    }
}

//! The session lock, between sessions of a process and between processes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use restante_host::{Fs, Host, HostFs};
use restante_maildrop::OpenError;

use crate::office::{Office, fred, listing, marks};

fn in_use(opened: Result<restante_spool::Session, OpenError>) -> String {
    match opened {
        Err(OpenError::InUse { holder: Some(holder) }) => holder,
        other => panic!("not in use: {other:?}"),
    }
}

#[test]
fn another_spool_sees_the_lock_and_who_holds_it() {
    let office = Office::new();
    office.put("new/1.a", b"x\n");
    let (one, two) = (office.spool(Host::real()), office.spool(Host::real()));
    let session = one.open(&fred(), "pop3 from 192.0.2.1\nforged").unwrap();
    for spool in [&one, &two] {
        let holder = in_use(spool.open(&fred(), "second"));
        let process = std::process::id();
        assert_eq!(holder, format!("process {process}, pop3 from 192.0.2.1forged"));
    }
    // Nor does the refused one disturb the holder.
    session.commit(&marks(&[1])).unwrap();
    assert!(listing(&two.open(&fred(), "second").unwrap()).is_empty());
    one.open(&fred(), "third").unwrap();
}

#[test]
fn the_lock_is_an_flock_on_a_file_that_stays() {
    let office = Office::new();
    let path = office.maildir().join("restante-lock");
    let session = office.open();
    assert!(HostFs.try_lock(&path).unwrap().is_none());
    drop(session);
    let other = HostFs.try_lock(&path).unwrap().unwrap();
    let opened = office.spool(Host::real()).open(&fred(), "x");
    assert!(matches!(opened, Err(OpenError::InUse { .. })));
    drop(other);
    office.open();
}

/// Goal: a killed holder keeps nobody out. Method: this test runs itself as the holder.
#[test]
fn a_killed_process_frees_the_maildrop() {
    if let Some(folder) = std::env::var_os(HOLDER_FOLDER) {
        return hold(std::path::Path::new(&folder));
    }
    let office = Office::new();
    office.put("new/1.a", b"x\n");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lock::a_killed_process_frees_the_maildrop", "--nocapture"])
        .env(HOLDER_FOLDER, office.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().contains(HOLDS)), "the holder never held");
    let spool = office.spool(Host::real());
    let named = in_use(spool.open(&fred(), "second"));
    assert_eq!(named, format!("process {}, the holder", holder.id()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(listing(&spool.open(&fred(), "second").unwrap()).len(), 1);
}

/// Holds the maildrop until somebody kills the process or closes its input.
fn hold(folder: &std::path::Path) {
    let layout = restante_spool::Layout::parse("{data}/mail/{user}/Maildir", folder).unwrap();
    let spool = restante_spool::Spool::new(Host::real(), layout);
    let _session = spool.open(&fred(), "the holder").unwrap();
    std::io::stdout().write_all(HOLDS.as_bytes()).unwrap();
    std::io::stdout().write_all(b"\n").unwrap();
    std::io::stdin().lines().count();
}

const HOLDER_FOLDER: &str = "RESTANTE_TEST_HOLDER_FOLDER";
const HOLDS: &str = "the maildrop is held";

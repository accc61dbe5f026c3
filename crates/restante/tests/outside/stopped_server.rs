//! The server is told to stop (SIGTERM) while it is busy with what no client waits for any more.

use std::fs::{self, File};

use rustix::fs::inotify;

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD};

#[test]
fn server_stops_while_a_maildrop_is_still_being_measured() {
    let office = Office::new(&["alice"]);
    let maildir = office.maildir("alice");
    // Holes take no room and hours to count.
    let huge = File::create(maildir.join("new/1700000000.huge.example")).unwrap();
    huge.set_len(HOURS_OF_OCTETS).unwrap();
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    let events = inotify::WatchFlags::OPEN;
    inotify::add_watch(&watch, maildir.join("new/1700000000.huge.example"), events).unwrap();
    let mut serving = office.serve();
    let mut line = Line::connect(serving.pop3);
    line.ok("USER alice");
    line.send(format!("PASS {PASSWORD}\r\n").as_bytes()).unwrap();
    assert!(!serving.process.ends_before(&watch), "{}", serving.process.complaints());
    assert!(serving.process.terminate().success());
    assert_eq!(line.rest(), b"");
    fs::remove_file(maildir.join("new/1700000000.huge.example")).unwrap();
}

/// Less than the 16 TiB that a file on ext4 may have.
const HOURS_OF_OCTETS: u64 = 8 << 40;

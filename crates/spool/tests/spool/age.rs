//! How old a message is: by its name, else by its file.

use std::fs::File;
use std::time::{Duration, SystemTime};

use restante_maildrop::MessageNumber;

use crate::office::Office;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn touch(office: &Office, name: &str, seconds: u64) {
    let file = File::options().write(true).open(office.maildir().join(name)).unwrap();
    file.set_modified(at(seconds)).unwrap();
}

#[test]
fn s42_age_is_told_by_the_name_and_only_without_one_by_the_file() {
    let office = Office::new();
    let old_names = ["new/1000000000.M1P1.host", "cur/1000000001.M1P1.host:2,S"];
    let other_names = ["new/1700000000.M1P1.host", "new/no-time", "cur/20010909.old:2,"];
    for name in old_names.iter().chain(&other_names) {
        office.put(name, b"x\n");
    }
    // Copied back from somewhere: the name knows better.
    touch(&office, "new/1700000000.M1P1.host", 1);
    touch(&office, "cur/20010909.old:2,", 1_000_000_000);
    let session = office.open();
    let ids = |numbers: Vec<MessageNumber>| -> Vec<String> {
        let id = |number| session.snapshot().unique_id(number).unwrap().to_owned();
        numbers.into_iter().map(id).collect()
    };
    let mut old = ids(session.arrived_before(at(1_500_000_000)));
    old.sort();
    assert_eq!(old, ["1000000000.M1P1.host", "1000000001.M1P1.host", "20010909.old"]);
    assert!(session.arrived_before(at(1_000_000_000)).is_empty());
    assert_eq!(ids(session.arrived_before(at(1_000_000_001))).len(), 2);
    // What was moved or removed meanwhile has time until the next session.
    office.remove("cur/20010909.old:2,");
    assert_eq!(ids(session.arrived_before(at(1_500_000_000))).len(), 2);
}

//! A Maildir++ folder, read as a maildrop of its own.

use restante_host::Host;
use restante_maildrop::{OpenError, Owner};

use crate::office::{Office, fred, ids, marks};

#[test]
fn a_folder_is_a_maildrop_beside_its_own() {
    let office = Office::new();
    office.put("new/1.inbox", b"x\n");
    for directory in ["tmp", "new", "cur"] {
        std::fs::create_dir_all(office.maildir().join(".Lists").join(directory)).unwrap();
    }
    office.put(".Lists/cur/2.list:2,S", b"y\n");
    let lists = fred().in_folder("Lists").unwrap();
    let spool = office.spool(Host::real());
    let (inbox, folder) = (spool.open(&fred(), "a").unwrap(), spool.open(&lists, "b").unwrap());
    assert_eq!((ids(&inbox), ids(&folder)), (vec!["1.inbox".into()], vec!["2.list".into()]));
    assert!(matches!(spool.open(&lists, "c"), Err(OpenError::InUse { .. })));
    folder.commit(&marks(&[1])).unwrap();
    drop(inbox);
    assert_eq!(ids(&office.open()), ["1.inbox"]);
    assert!(ids(&spool.open(&lists, "d").unwrap()).is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_refused_and_not_made() {
    let office = Office::new();
    let spool = office.spool(Host::real());
    for owner in [fred(), Owner::new("nobody").unwrap()] {
        let missing = owner.in_folder("Missing").unwrap();
        assert!(matches!(spool.open(&missing, "a"), Err(OpenError::Permanent(_))));
    }
    assert!(!office.maildir().join(".Missing").exists());
}

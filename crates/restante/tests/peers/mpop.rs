//! mpop into a Maildir, with LF line ends: the one client here that pipelines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::support::office::{Office, PASSWORD};
use crate::support::{corpus, maildir, process};

#[test]
fn peer_mpop_fetches_the_corpus_over_implicit_tls_and_nothing_twice() {
    fetch("off", corpus::WHOLE);
}

#[test]
fn peer_mpop_fetches_over_stls_and_nothing_twice() {
    fetch("on", 300);
}

fn fetch(starttls: &str, at_most: usize) {
    process::need("mpop");
    let messages = corpus::messages(at_most);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let port = if starttls == "on" { serving.pop3.port() } else { serving.pop3s.port() };
    let folder = office.folder();
    let inbox = folder.join("inbox");
    maildir::create(&inbox);
    let config = folder.join("mpoprc");
    let configure = |keep: &str| {
        fs::write(
            &config,
            format!(
                "account test\nhost localhost\nport {port}\ntls on\ntls_starttls {starttls}\n\
                 tls_trust_file {}\nuser alice\npassword \"{PASSWORD}\"\n\
                 delivery maildir {}\nuidls_file {}\nkeep {keep}\nonly_new on\n\
                 received_header off\npipelining auto\n",
                serving.certificate.display(),
                inbox.display(),
                folder.join("uidls").display(),
            ),
        )
        .unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let mpop = || {
        let mut command = Command::new("mpop");
        command.env("HOME", folder).arg("--quiet").arg("--file").arg(&config).arg("test");
        process::run("mpop", folder, &mut command).success("mpop")
    };
    let prints = |messages: &[Vec<u8>]| -> Vec<maildir::Print> {
        messages.iter().map(|message| maildir::raw_print(message)).collect()
    };
    let sent =
        prints(&messages.iter().map(|message| maildir::with_lf(message)).collect::<Vec<_>>());
    let stored = || prints(&maildir::contents(&inbox));

    configure("on");
    mpop();
    maildir::assert_same_heap(&stored(), &sent, "what mpop stored");

    mpop();
    maildir::assert_same_heap(&stored(), &sent, "after a second run");

    configure("off");
    mpop();
    maildir::assert_same_heap(&stored(), &sent, "after a run that deletes");
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0, "the server is empty");
}

//! getmail6 into a Maildir, its additions (Delivered-To, Received) turned off and its check of
//! the certificate, which is off by default, turned on.
//!
//! getmail does not store what it fetched: it parses every message and writes it anew, with other
//! folds in the header, a Return-Path and missing MIME boundaries. So the measure is what it makes
//! of the same mail from Dovecot, octet by octet.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dovecot::{Dovecot, Identity};
use crate::support::maildir::{self, Print};
use crate::support::office::{Office, PASSWORD};
use crate::support::process::Ended;
use crate::support::{corpus, process};

#[test]
fn peer_getmail_gets_what_dovecot_gives_it_and_nothing_twice() {
    process::need("getmail");
    let messages = corpus::messages(300);

    let dovecot = Dovecot::start(&messages);
    let reference = Getmail::first_run(dovecot.pop3s, &dovecot.certificate());
    let sent = reference.stored();
    assert_eq!(sent.len(), messages.len());

    let office = Office::with_mail(&messages);
    let serving = office.serve();
    let getmail = Getmail::first_run(serving.pop3s, &serving.certificate);
    maildir::assert_same_heap(&getmail.stored(), &sent, "what getmail stored");

    // The unique-ids are the same in the next session, so nothing is fetched twice.
    getmail.run(false).success("getmail");
    maildir::assert_same_heap(&getmail.stored(), &sent, "after a second run");

    getmail.run(true).success("getmail");
    maildir::assert_same_heap(&getmail.stored(), &sent, "after a run that deletes");
    assert_eq!(maildir::files(&office.maildir("alice")).len(), 0, "the server is empty");
}

/// A getmail with a folder of its own.
struct Getmail {
    folder: tempfile::TempDir,
    inbox: PathBuf,
    account: String,
}

impl Getmail {
    /// A getmail that has fetched everything once. It forks for every message before it listens
    /// for the child's end, and so now and then waits in vain for one that was faster; it gives
    /// up after `timeout`, and that run does not count.
    fn first_run(server: SocketAddr, certificate: &Path) -> Self {
        for _ in 0..10 {
            let getmail = Self::new(server, certificate);
            let ended = getmail.run(false);
            let said = String::from_utf8_lossy(&ended.stdout) + ended.stderr.as_str();
            if !said.contains("waiting child pid") {
                ended.success("getmail");
                return getmail;
            }
        }
        panic!("getmail waits for its children in vain");
    }

    fn new(server: SocketAddr, certificate: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("inbox");
        maildir::create(&inbox);
        // It stores nothing as root, but changes to another user if it is told to.
        let identity = Identity::of_this_process();
        let mut user = "";
        if identity.is_root {
            identity.own_all(&inbox);
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
            user = "user = mail\n";
        }
        let account = format!(
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = {}\n\
             username = alice\npassword = {PASSWORD}\nca_certs = {}\ntimeout = 10\n\
             [destination]\ntype = Maildir\npath = {}/\n{user}\
             [options]\nread_all = false\ndelivered_to = false\nreceived = false\n\
             verbose = 1\n",
            server.port(),
            certificate.display(),
            inbox.display(),
        );
        Self { folder, inbox, account }
    }

    fn run(&self, delete: bool) -> Ended {
        let folder = self.folder.path();
        let config = format!("{}delete = {delete}\n", self.account);
        fs::write(folder.join("getmailrc"), config).unwrap();
        let mut command = Command::new("getmail");
        command.env("HOME", folder).arg("--getmaildir").arg(folder);
        process::run("getmail", folder, &mut command)
    }

    fn stored(&self) -> Vec<Print> {
        let contents = maildir::contents(&self.inbox);
        contents.iter().map(|message| maildir::raw_print(message)).collect()
    }
}

//! Real programs log in by app passwords, by passwords that other programs have stored, and as
//! users who are turned off.

use std::fs;
use std::process::Command;

use crate::logins::{mpop, text};
use crate::support::office::{Office, PASSWORD, restante};
use crate::support::process::{self, Ended};
use crate::support::{corpus, maildir};

/// Runs `restante user` on the office.
fn user(office: &Office, arguments: &[&str]) -> String {
    let mut command = restante();
    command.arg("user").args(arguments).arg("--data").arg(office.data());
    let ended = process::run("user", office.folder(), &mut command).success("user");
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn peer_curl_logs_in_by_an_app_password() {
    process::need("curl");
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let made = user(&office, &["app-password", "add", "alice", "--label", "curl", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let secret = made["secret"].as_str().unwrap();
    let serving = office.serve();
    for options in ["AUTH=PLAIN", "AUTH=LOGIN"] {
        for (password, good) in [(secret, true), ("aaaa-bbbb-cccc-dddd-eeee", false)] {
            let mut command = Command::new("curl");
            command.args(["--disable", "--silent", "--verbose", "--login-options", options]);
            command.arg("--cacert").arg(&serving.certificate);
            command.args(["--user", &format!("alice:{password}")]);
            command.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
            let said = process::run("curl", office.folder(), &mut command);
            assert_eq!(said.status.success(), good, "{options}: {}", said.stderr);
            if good {
                assert_eq!(said.stdout, maildir::canonical(&messages[0]));
            }
        }
    }
}

#[test]
fn s75_peer_mpop_finds_a_user_who_is_turned_off_like_a_wrong_password() {
    let office = Office::with_mail(corpus::messages(1));
    let serving = office.serve();
    // Times and names of the connection's own are left out.
    let ends = |said: &Ended| {
        let said = text(said);
        let last = said.lines().rfind(|line| line.contains("-ERR"));
        last.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let mechanisms = ["scram-sha-256", "scram-sha-1", "plain", "login", "user"];
    let wrong = mechanisms.map(|mechanism| ends(&mpop(&office, &serving, "wrong", mechanism)));
    user(&office, &["disable", "alice"]);
    let off = mechanisms.map(|mechanism| ends(&mpop(&office, &serving, PASSWORD, mechanism)));
    assert_eq!(off, wrong);
    user(&office, &["enable", "alice"]);
    mpop(&office, &serving, PASSWORD, "scram-sha-256").success("mpop");
}

/// Goal: users who move from Dovecot log in with what it has stored. Method: `doveadm pw` makes a
/// stored password of each kind, and curl logs in with it.
#[test]
fn peer_dovecot_stored_passwords_let_peer_curl_in() {
    process::need("curl");
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let serving = office.serve();
    for scheme in ["SSHA512", "SMD5", "PBKDF2", "MD5-CRYPT", "CRAM-MD5", "SHA256.HEX", "BLF-CRYPT"]
    {
        let mut command = Command::new("doveadm");
        command.args(["pw", "-s", scheme, "-p", PASSWORD]);
        let made = process::run("doveadm", office.folder(), &mut command).success("doveadm");
        let made = String::from_utf8(made.stdout).unwrap();
        fs::write(office.data().join("passwd"), format!("alice:{made}")).unwrap();
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--cacert"]).arg(&serving.certificate);
        command.args(["--user", &format!("alice:{PASSWORD}")]);
        command.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
        let said = process::run("curl", office.folder(), &mut command).success(scheme);
        assert_eq!(said.stdout, maildir::canonical(&messages[0]), "{scheme}");
    }
}

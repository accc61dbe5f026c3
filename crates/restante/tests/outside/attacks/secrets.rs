//! Passwords and tokens are seen by nobody: not in the most talkative log, not in the arguments of
//! a process, not in any file but the one that was given them.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::support::office::{self, Account, Office};
use crate::support::{process, tls};

const CANARY: &str = "Zq7-canary-of-the-mine-Xv9";
const WRONG: &str = "Wr0ng-canary-of-the-mine-Kp3";
const TOKEN: &str = "T0ken.canary-of-the-mine.Hb5";

/// The forms in which a secret might be written down: as it is, in hex, and in base64 wherever it
/// begins in a longer text.
fn forms(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for skipped in 0..3 {
        let octets = &secret.as_bytes()[skipped..];
        let whole = octets.len() - octets.len() % 3;
        forms.push(STANDARD_NO_PAD.encode(&octets[..whole]));
    }
    // What debug output makes of octets.
    let bytes: Vec<_> = secret.bytes().take(6).map(|octet| octet.to_string()).collect();
    forms.push(bytes.join(", "));
    forms
}

fn assert_absent(what: &str, octets: &[u8]) {
    for secret in [CANARY, WRONG, TOKEN] {
        for form in forms(secret) {
            let found = octets.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{what} holds {form}");
        }
    }
}

fn each_file(folder: &Path, look: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { each_file(&path, look) } else { look(&path) }
    }
}

#[test]
fn r26_no_secret_is_in_a_log_a_command_line_or_a_file() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    fs::remove_file(office.data().join("passwd")).unwrap();
    let mut add = office::restante();
    add.args(["--log-level", "trace", "user", "add", "alice", "--password-stdin", "--data"]);
    let typed = office.folder().join("typed");
    fs::write(&typed, CANARY).unwrap();
    let input = fs::File::open(&typed).unwrap();
    let added =
        process::run_on("add", office.folder(), add.arg(office.data()), input).success("add");
    assert_absent("user add", &added.stdout);
    fs::remove_file(&typed).unwrap();

    let mut command = office.serve_command();
    command.args(["--log-level", "trace"]);
    let mut serving = office.serve_under(command);
    for password in [CANARY, WRONG] {
        let plain = STANDARD.encode(format!("\0alice\0{password}"));
        let login = STANDARD.encode(password);
        for said in [
            format!("USER alice\r\nPASS {password}\r\n"),
            format!("PASS {password}\r\n"),
            format!("PAS {password}\r\nUSER alice {password}\r\nAPOP {password}\r\n"),
            format!("AUTH PLAIN {plain}\r\n"),
            format!("AUTH PLAIN\r\n{plain}\r\n"),
            format!("AUTH PLAIN {plain}x\r\n"),
            format!("AUTH LOGIN\r\nYWxpY2U=\r\n{login}\r\n"),
            format!("AUTH LOGIN\r\nYWxpY2U=\r\n{login}!\r\n"),
        ] {
            tls::say(&serving, format!("{said}QUIT\r\n").as_bytes());
        }
    }
    let token = STANDARD.encode(format!("user=alice\u{1}auth=Bearer {TOKEN}\u{1}\u{1}"));
    tls::say(&serving, format!("AUTH XOAUTH2 {token}\r\n\r\nQUIT\r\n").as_bytes());

    let collected = tempfile::tempdir().unwrap();
    let maildir = collected.path().join("Maildir");
    for encryption in ["tls", "starttls"] {
        let address = if encryption == "tls" { serving.pop3s } else { serving.pop3 };
        let account = Account {
            address,
            encryption,
            user: "alice",
            leave: "always",
            certificate: &serving.certificate,
            maildir: &maildir,
        };
        let mut command = account.collect_command(collected.path());
        fs::File::create(collected.path().join("password"))
            .unwrap()
            .write_all(CANARY.as_bytes())
            .unwrap();
        command.env("RESTANTE_LOG", "trace");
        let ended = process::run("collect", collected.path(), &mut command).success("collect");
        assert_absent("collect", &[ended.stderr.as_bytes(), &ended.stdout].concat());
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", serving.process.id())).unwrap();
    assert_absent("the command line", &arguments);
    serving.process.terminate();
    let log = serving.process.complaints();
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "the log is a talkative one");
    assert!(
        log.contains("user=\"alice\"") && log.contains("messages=1"),
        "logins were good: {log}"
    );
    fs::remove_file(collected.path().join("password")).unwrap();
    let mut files = 0;
    for folder in [office.folder(), collected.path()] {
        each_file(folder, &mut |file| {
            files += 1;
            assert_absent(&file.display().to_string(), &fs::read(file).unwrap());
        });
    }
    assert!(files > 5, "{files}");
}

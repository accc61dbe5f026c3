//! Mail, names and passwords in UTF-8, through real programs: poplib asks for UTF-8 or does not
//! (peers/international_session.py), mpop and curl log in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::logins::{mpop_as, serve, text};
use crate::support::office::{Account, Office, PASSWORD as COMMON, Serving};
use crate::support::{maildir, process};

const USER: &str = "j\u{f6}rg@m\u{fc}nchen.example";
const PASSWORD: &str = "p\u{e4}ssw\u{f6}rd";
/// With a character that Unicode 3.2 had not, which libgsasl (in mpop) does not take.
const MODERN: &str = "p\u{e4}ssw\u{f6}rd \u{1f600}";
/// The same as another keyboard composes it.
const DECOMPOSED: &str = "pa\u{308}sswo\u{308}rd \u{1f600}";

/// Two addresses, a subject, a file's name, and a part that is a message, all of them in UTF-8.
const INTERNATIONAL: &str = "\
From: J\u{f6}rg M\u{fc}ller <j\u{f6}rg@m\u{fc}nchen.example>, \"Gr\u{fc}n, A.\" <a@b.example>
Subject: Gr\u{fc}\u{df}e aus K\u{f6}ln, und noch mehr davon, bis die Zeile f\u{fc}r ein Wort zu lang ist
Received: from m\u{fc}nchen.example by x; Mon, 1 Jan 2024 00:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=\"a b\"

--a b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Gr\u{fc}\u{df}e
.
--a b
Content-Type: application/pdf
Content-Disposition: attachment; filename=\"\u{dc}ber uns.pdf\"

x
--a b
Content-Type: message/rfc822

Subject: Gr\u{fc}\u{df}e

Gr\u{fc}\u{df}e
--a b--
";
const LATIN: &[u8] = b"From: a@b.example\nSubject: Gr\xfc\xdfe\n\nGr\xfc\xdfe\n";

/// An office with one user, whose name, password and mail are in UTF-8.
fn office(stored: &str) -> Office {
    let office = Office::new(&[USER]);
    let passwd = office.data().join("passwd");
    fs::write(&passwd, format!("{USER}:{{PLAIN}}{stored}\n")).unwrap();
    fs::set_permissions(&passwd, fs::Permissions::from_mode(0o600)).unwrap();
    maildir::fill(&office.maildir(USER), [INTERNATIONAL.as_bytes(), LATIN]);
    office
}

/// What poplib got, and what Python's email package made of it.
struct Got {
    folder: PathBuf,
}

impl Got {
    fn message(&self, number: u32) -> Vec<u8> {
        fs::read(self.folder.join(number.to_string())).unwrap()
    }

    fn shown(&self, number: u32) -> Value {
        let json = fs::read(self.folder.join(format!("{number}.json"))).unwrap();
        serde_json::from_slice(&json).unwrap()
    }
}

fn poplib(mode: &str, office: &Office, serving: &Serving, password: &str) -> Got {
    process::need("python3");
    let folder = office.folder().join(format!("{mode}.{}", password.len()));
    fs::create_dir(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/international_session.py");
    let mut command = Command::new("python3");
    command.arg(script).args([mode, &serving.pop3s.port().to_string()]).arg(&serving.certificate);
    command.args([USER, password]).arg(&folder);
    process::run("poplib", office.folder(), &mut command).success("poplib");
    let language = fs::read_to_string(folder.join("language")).unwrap();
    assert_eq!(language, "-ERR No existe ese mensaje");
    Got { folder }
}

#[test]
fn s80_s81_peer_poplib_gets_mail_as_it_is_with_utf8_and_a_surrogate_without() {
    let office = office(PASSWORD);
    let serving = serve(&office, "[policy]\nwithout_utf8 = \"downgrade\"\n");
    let got = poplib("utf8", &office, &serving, PASSWORD);
    assert_eq!(got.message(1), maildir::canonical(INTERNATIONAL.as_bytes()));
    assert_eq!(got.message(2), maildir::canonical(LATIN));

    let got = poplib("ascii", &office, &serving, PASSWORD);
    assert_eq!(got.message(2), maildir::canonical(LATIN), "not in UTF-8");
    let shown = got.shown(1);
    let subject = INTERNATIONAL.lines().find_map(|line| line.strip_prefix("Subject: "));
    assert_eq!(shown["subject"].as_str(), subject);
    let names = ["J\u{f6}rg M\u{fc}ller <j\u{f6}rg@m\u{fc}nchen.example>", "Gr\u{fc}n, A."];
    assert_eq!(shown["names"], Value::from(names.to_vec()));
    let addresses = ["invalid@internationalized-address.invalid", "a@b.example"];
    assert_eq!(shown["addresses"], Value::from(addresses.to_vec()));
    assert_eq!(shown["files"], Value::from(vec!["\u{dc}ber uns.pdf"]));
    assert_eq!((&shown["ascii"], &shown["defects"]), (&true.into(), &Value::Array(Vec::new())));
    let surrogate = String::from_utf8(got.message(1)).unwrap();
    assert!(!surrogate.contains("Received"));
    let (original, bodies) = (INTERNATIONAL.matches("\nGr\u{fc}\u{df}e\n").count(), surrogate);
    assert_eq!(bodies.matches("\r\nGr\u{fc}\u{df}e\r\n").count(), original);
    let stored = maildir::stored(&office.maildir(USER));
    let left = maildir::prints(&[INTERNATIONAL.as_bytes().to_vec(), LATIN.to_vec()]);
    maildir::assert_same_heap(&stored, &left, "what is stored");
}

#[test]
fn s80_peer_poplib_gets_everything_as_it_is_by_default() {
    let office = office(PASSWORD);
    let serving = office.serve();
    for mode in ["utf8", "ascii"] {
        let got = poplib(mode, &office, &serving, PASSWORD);
        assert_eq!(got.message(1), maildir::canonical(INTERNATIONAL.as_bytes()));
    }
}

#[test]
fn c20_collect_gets_mail_as_it_is_where_others_get_a_surrogate() {
    let office = office(PASSWORD);
    fs::write(office.data().join("passwd"), format!("{USER}:{{PLAIN}}{COMMON}\n")).unwrap();
    let serving = serve(&office, "[policy]\nwithout_utf8 = \"downgrade\"\n");
    let inbox = office.folder().join("collected");
    let account = Account {
        address: serving.pop3s,
        encryption: "tls",
        user: USER,
        leave: "never",
        certificate: &serving.certificate,
        maildir: &inbox,
    };
    account.collect(office.folder()).success("collect");
    let sent = maildir::prints([INTERNATIONAL.as_bytes(), LATIN]);
    maildir::assert_same_heap(&maildir::stored(&inbox), &sent, "what was collected");
}

#[test]
fn s82_peer_poplib_logs_in_whatever_way_its_password_is_composed() {
    for stored in [MODERN, DECOMPOSED] {
        let office = office(stored);
        let serving = office.serve();
        for sent in [MODERN, DECOMPOSED] {
            poplib("utf8", &office, &serving, sent);
        }
    }
}

#[test]
fn s67_s70_peer_mpop_logs_in_with_a_name_and_a_password_in_utf8() {
    let office = office(PASSWORD);
    let serving = office.serve();
    for mechanism in ["user", "plain", "login", "scram-sha-256", "scram-sha-1"] {
        let said = mpop_as(USER, &office, &serving, PASSWORD, mechanism).success("mpop");
        assert!(!text(&said).contains("-ERR"), "{mechanism}: {}", text(&said));
    }
}

#[test]
fn s67_peer_curl_logs_in_with_a_name_and_a_password_in_utf8() {
    process::need("curl");
    let office = office(PASSWORD);
    let serving = office.serve();
    for options in ["AUTH=PLAIN", "AUTH=LOGIN"] {
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--show-error", "--login-options", options]);
        command.arg("--cacert").arg(&serving.certificate);
        command.args(["--user", &format!("{USER}:{PASSWORD}")]);
        command.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
        let said = process::run("curl", office.folder(), &mut command).success(options);
        assert_eq!(said.stdout, maildir::canonical(INTERNATIONAL.as_bytes()), "{options}");
    }
}

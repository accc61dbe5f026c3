//! `restante check`, on a server of our own: no rule that must be kept is broken, and what a
//! setting breaks is found.

use serde_json::Value;

use super::{Run, Scene};
use crate::support::office::{Office, PASSWORD, Serving};

/// Messages that show what the rules look for: dots, all line ends, none, no body, long lines.
fn office() -> (Office, Serving) {
    let long = format!("From: a@b\nSubject: long\n\n{}\n", "x".repeat(3000));
    let messages: [&[u8]; 7] = [
        b"From: a@b\nSubject: plain\n\nhello\n",
        b"From: a@b\nSubject: dots\n\n.\n..\n.x\nend\n.",
        b"From: a@b\r\nSubject: crlf\r\n\r\none\r\n.two\r\nthree\r\n",
        b"From: a@b\nSubject: no end\n\nno line end",
        b"From: a@b\nSubject: no body\n",
        b"From: a@b\nSubject: 8-bit\n\n\xe9\xff bare \r CR\n",
        long.as_bytes(),
    ];
    let office = Office::with_mail(messages);
    let config = office.folder().join("restante.toml");
    std::fs::write(&config, "[login]\napop = true\ncram_md5 = true\n").unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(config);
    let serving = office.serve_under(command);
    (office, serving)
}

fn check(line: &str) -> Run {
    Scene::new().run(&format!("check {line} --user alice --password-stdin"), PASSWORD)
}

/// The identifiers of what was found so.
fn found(report: &Value, verdict: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let these = findings.filter(|finding| finding["verdict"] == verdict);
    these.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn check_finds_no_breach_under_tls_and_deletes_where_it_may() {
    let (office, serving) = office();
    let server = format!("localhost:{}", serving.pop3s.port());
    let ca_file = serving.certificate.display();
    let run = check(&format!("{server} --tls --ca-file {ca_file} --may-delete --json")).good();
    let report = report(&run);
    assert_eq!(found(&report, "broken"), [""; 0], "{report:#}");
    let untestable = found(&report, "untestable");
    // What needs STLS or an extension that is not announced.
    for id in
        ["S33", "S74", "S7", "S8", "S24", "S28a", "S43a", "S12a", "S15", "S21", "S54", "S56", "S64"]
    {
        assert!(!untestable.contains(&id.to_owned()), "{id} was not looked for: {report:#}");
    }
    let left = crate::support::maildir::files(&office.maildir("alice")).len();
    assert_eq!(left, 6, "the last of seven messages was to be deleted");
}

#[test]
fn check_finds_by_stls_only_what_a_setting_breaks_and_changes_nothing() {
    let (office, serving) = office();
    let before = crate::support::maildir::files(&office.maildir("alice"));
    let server = format!("localhost:{}", serving.pop3.port());
    let ca_file = serving.certificate.display();
    let run = check(&format!("{server} --starttls --ca-file {ca_file} --json")).good();
    let report = report(&run);
    // The server of the tests takes passwords without TLS.
    assert_eq!(found(&report, "broken"), ["S52", "S66"], "{report:#}");
    for id in ["S50", "S51", "S51a", "S80", "S83b"] {
        assert!(found(&report, "kept").contains(&id.to_owned()), "{report:#}");
    }
    let transcript = &report["findings"].as_array().unwrap().iter().find(|f| f["id"] == "S52");
    let transcript = transcript.unwrap()["transcript"].to_string();
    assert!(transcript.contains("C: USER alice"), "{transcript}");
    assert_eq!(crate::support::maildir::files(&office.maildir("alice")), before);
    assert!(!run.stdout.contains(PASSWORD), "the password shows");
}

#[test]
fn check_says_why_it_cannot() {
    let (_office, serving) = office();
    let server = format!("127.0.0.1:{}", serving.pop3.port());
    let scene = Scene::new();
    let wrong = scene.run(&format!("check {server} --user alice --password-stdin"), "wrong\n");
    wrong.bad(1, &["cannot log in", "[AUTH]"]);
    let tls = format!("check {server} --user alice --password-stdin --starttls");
    scene.run(&tls, PASSWORD).bad(1, &["cannot connect", "certificate"]);
    let none = "check pop.invalid --user alice --password-stdin";
    scene.run(none, PASSWORD).bad(2, &["--cleartext"]);
    let listed = scene.run("check --list", "").good();
    assert!(listed.stdout.contains("S24 "), "{listed:?}");
}

//! A server with one flaw at a time: the rule that names the flaw is found broken, and a server
//! without a flaw breaks nothing. So each of these rules can fail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops where it fails"
)]

mod server;

use std::time::Duration;

use restante_check::{CheckError, Checker, Encryption, Report, Target, Trust, Verdict};
use restante_proto::Secret;
use server::{Flaw, Server};

const PASSWORD: &str = "correct horse";

fn check(flaw: Option<Flaw>) -> Report {
    let server = Server::start(flaw);
    checker(&server, PASSWORD).unwrap().run(|_| {})
}

fn checker(server: &Server, password: &str) -> Result<Checker, CheckError> {
    Checker::start(Target {
        host: "127.0.0.1".into(),
        port: server.port,
        encryption: Encryption::None,
        trust: Trust::System,
        user: "fred".into(),
        password: Secret::new(password.into()),
        patience: Duration::from_secs(60),
        may_delete: true,
    })
}

fn broken(report: &Report) -> Vec<&str> {
    let broken = report.findings.iter().filter(|finding| finding.verdict == Verdict::Broken);
    broken.map(|finding| finding.id).collect()
}

#[test]
fn a_server_without_a_flaw_breaks_nothing() {
    let report = check(None);
    // But that there is no TLS.
    assert_eq!(broken(&report), ["S66"], "{report:#?}");
    assert!(report.count(Verdict::Kept) > 50, "{report:#?}");
}

#[test]
fn each_flaw_is_found_by_its_rule() {
    let flaws = [
        (Flaw::LowerCase, &["S5"][..]),
        (Flaw::CaseMatters, &["S1"]),
        (Flaw::NoSpace, &["S16"]),
        (Flaw::TwoErrorLines, &["S6"]),
        (Flaw::LongErrors, &["S4"]),
        (Flaw::CapaOnlyBefore, &["S40"]),
        (Flaw::UidlOnlyBefore, &["S40a"]),
        (Flaw::OwnTag, &["S40e"]),
        (Flaw::DelayWithoutNumber, &["S41"]),
        (Flaw::DelayNotKept, &["S41a"]),
        (Flaw::Unstuffed, &["S7"]),
        (Flaw::BareLf, &["S8"]),
        (Flaw::WrongSizes, &["S24"]),
        (Flaw::MoreBehindStat, &["S22a"]),
        (Flaw::ZeroIsOne, &["S23c", "S25a", "S29d"]),
        (Flaw::TwoSpaces, &["S23a"]),
        (Flaw::SameIds, &["S29c"]),
        (Flaw::NewIds, &["S30"]),
        (Flaw::LongIds, &["S29"]),
        (Flaw::TopCountsTheHeader, &["S28", "S28a"]),
        (Flaw::TopNeedsNoNumbers, &["S28c"]),
        (Flaw::ServesBeforeLogin, &["S9a"]),
        (Flaw::PassWithoutUser, &["S32"]),
        (Flaw::NameKept, &["S32a"]),
        (Flaw::NamesTold, &["S31"]),
        (Flaw::NoAuthCode, &["S45"]),
        (Flaw::EchoesBrackets, &["S44"]),
        (Flaw::NoSpaceInChallenge, &["S61"]),
        (Flaw::LaxBase64, &["S64"]),
        (Flaw::AnyIdentity, &["S68"]),
        (Flaw::OutOfTurn, &["S43"]),
        (Flaw::MarkedStay, &["S26"]),
        (Flaw::Renumbers, &["S26a"]),
        (Flaw::DeletesAtOnce, &["S15", "S27"]),
        (Flaw::NeverDeletes, &["S21"]),
    ];
    std::thread::scope(|threads| {
        for (flaw, rules) in flaws {
            threads.spawn(move || finds(flaw, rules));
        }
    });
}

fn finds(flaw: Flaw, rules: &[&str]) {
    let report = check(Some(flaw));
    let found = broken(&report);
    for rule in rules {
        assert!(found.contains(rule), "{flaw:?} is to break {rule}, and breaks {found:?}");
    }
    for finding in report.findings.iter().filter(|f| f.verdict == Verdict::Broken) {
        assert!(!finding.transcript.is_empty(), "{flaw:?}: {finding:?}");
        let transcript = finding.transcript.join("\n");
        assert!(!transcript.contains(PASSWORD), "the password shows: {transcript}");
    }
}

#[test]
fn a_refused_login_is_said_so() {
    let server = Server::start(None);
    let refused = checker(&server, "wrong").map(|_| ());
    assert!(matches!(refused, Err(CheckError::LoginRefused { .. })), "{refused:?}");
}

//! App passwords, users who are turned off, and stored passwords that are renewed, on a server.

use std::fs;

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD, Serving, restante};
use crate::support::process;

const WRONG: &str = "-ERR [AUTH] Wrong user name or password";

/// Runs `restante user` on the office and returns what it printed.
fn user(office: &Office, arguments: &[&str]) -> String {
    let mut command = restante();
    command.arg("user").args(arguments).arg("--data").arg(office.data());
    let ended = process::run("user", office.folder(), &mut command).success("user");
    String::from_utf8(ended.stdout).unwrap()
}

fn app_password(office: &Office, arguments: &[&str]) -> String {
    let add = [&["app-password", "add", "alice"], arguments].concat();
    user(office, &add).split(' ').next().unwrap().to_owned()
}

/// What the server says to a password.
fn log_in(serving: &Serving, password: &str) -> String {
    let mut line = Line::connect(serving.pop3);
    line.ok("USER alice");
    let said = line.ask(&format!("PASS {password}")).unwrap();
    line.ask("QUIT");
    said
}

#[test]
fn an_app_password_opens_the_maildrop_until_it_is_taken_back_and_the_log_names_it() {
    let office = Office::with_mail(["1\n", "2\n"]);
    let phone = app_password(&office, &["--label", "phone"]);
    let mut serving = office.serve();
    // Made while the server runs.
    let laptop = app_password(&office, &["--label", "laptop", "--expires", "90d"]);
    let lmtp = app_password(&office, &["--label", "gateway", "--scope", "lmtp"]);
    for password in [&phone, &laptop, PASSWORD] {
        assert!(log_in(&serving, password).starts_with("+OK"), "{password}");
    }
    assert_eq!(log_in(&serving, &lmtp), WRONG);
    let listed = user(&office, &["app-password", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert!(listed[2]["last_used"].is_null());
    user(&office, &["app-password", "remove", "alice", "phone"]);
    assert_eq!(log_in(&serving, &phone), WRONG);
    assert!(log_in(&serving, &laptop).starts_with("+OK"));
    // An end that has come is one like any other.
    let file = office.data().join("passwd.app-passwords");
    let text = fs::read_to_string(&file).unwrap();
    let entry = text.lines().find(|line| line.contains("laptop")).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(entry).unwrap();
    entry["expires"] = "2020-01-01T00:00:00Z".into();
    fs::write(&file, format!("{entry}\n")).unwrap();
    assert_eq!(log_in(&serving, &laptop), WRONG);
    serving.process.terminate();
    let log = serving.process.complaints();
    for secret in [&phone, &laptop, &lmtp] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
    let named = |label: &str| log.contains(&format!("app_password=\"{label}\""));
    assert!(named("phone") && named("laptop") && !named("gateway"), "{log}");
    let of_its_own = log.lines().filter(|line| line.contains("session ended"));
    assert!(of_its_own.clone().any(|line| !line.contains("app_password")), "{log}");
}

#[test]
fn a_user_who_is_turned_off_is_refused_like_a_wrong_password_and_gets_mail() {
    let office = Office::with_mail(["1\n"]);
    let phone = app_password(&office, &["--label", "phone"]);
    let serving = office.serve();
    assert!(log_in(&serving, PASSWORD).starts_with("+OK"));
    user(&office, &["disable", "alice"]);
    for password in [PASSWORD, &phone, "wrong"] {
        assert_eq!(log_in(&serving, password), WRONG);
    }
    let letter = office.folder().join("letter");
    fs::write(&letter, "Subject: 2\n\n2\n").unwrap();
    office.deliver("alice", fs::File::open(letter).unwrap()).success("deliver");
    user(&office, &["enable", "alice"]);
    let mut line = Line::login(serving.pop3, "alice", PASSWORD);
    assert!(line.ok("STAT").starts_with("+OK 2 "));
}

/// Goal: a login renews a weak stored password, once, and the next login fits the new one.
#[test]
fn a_login_renews_a_weak_stored_password_and_it_is_recorded() {
    let weak = "{SSHA256}n+NyCAC8BTzorAU7AQEsEfh4qDAh0HpRtPLX0dsQdApzYWx0";
    let office = Office::with_mail(["1\n"]);
    // Not where the server writes anyway: it is confined to the folders it needs.
    for folder in ["users", "log"] {
        fs::create_dir(office.folder().join(folder)).unwrap();
    }
    let passwd = office.folder().join("users/passwd");
    let others = format!("# ours\nbob:{weak}:::\n");
    fs::write(&passwd, format!("{others}alice:{weak}:::\n")).unwrap();
    let config = office.folder().join("restante.toml");
    let settings =
        "passwd = \"users/passwd\"\naudit = \"log/audit\"\n[login]\nrehash = \"argon2id\"\n";
    fs::write(&config, settings).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(&config);
    let mut serving = office.serve_under(command);
    assert!(log_in(&serving, PASSWORD).starts_with("+OK"));
    serving.process.wait_for("renewed the stored password", 1);
    assert!(log_in(&serving, PASSWORD).starts_with("+OK"));
    assert_eq!(log_in(&serving, "wrong"), WRONG);
    serving.process.terminate();
    let text = fs::read_to_string(&passwd).unwrap();
    let renewed = text.strip_prefix(others.as_str()).unwrap();
    assert!(renewed.starts_with("alice:{ARGON2ID}$argon2id$") && renewed.ends_with(":::\n"));
    let log = user(&office, &["log", "--json", "--config", config.to_str().unwrap()]);
    let log: serde_json::Value = serde_json::from_str(&log).unwrap();
    assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
    let change = &log[0];
    assert_eq!((&change["action"], &change["user"]), (&"rehash".into(), &"alice".into()));
    assert_eq!((&change["from"], &change["scheme"]), (&"SSHA256".into(), &"ARGON2ID".into()));
    assert_eq!(change["by"]["program"], "serve");
}

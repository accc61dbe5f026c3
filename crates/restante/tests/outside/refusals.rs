//! What cannot work says so in one clear line and with an exit code that is not 0.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::office::{self, Office};
use crate::support::process;

#[test]
fn a_missing_data_folder_is_refused() {
    let office = Office::new(&[]);
    let missing = office.folder().join("not there");
    let mut serve = office::restante();
    serve.arg("serve").arg("--data").arg(&missing).args(["--listen", "pop3=127.0.0.1:0"]);
    refused(&office, &mut serve, &["not there"]);
    assert!(!missing.exists(), "and not created");

    let mut deliver = office::restante();
    deliver.args(["deliver", "alice", "--data"]).arg(&missing);
    let ended = process::run("deliver", office.folder(), &mut deliver);
    assert_eq!(ended.status.code(), Some(75), "the mail can wait: {}", ended.stderr);
}

#[test]
fn a_port_in_use_is_refused() {
    let office = Office::new(&[]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = office.serve_command();
    serve.arg("--listen").arg(format!("pop3={address}"));
    refused(&office, &mut serve, &[&address]);
}

#[test]
fn an_unreadable_certificate_is_refused() {
    let office = Office::new(&[]);
    let file = |name: &str, content: &str| {
        let path = office.folder().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let good = file("good.pem", &key.cert.pem());
    let good_key = file("good.key", &key.signing_key.serialize_pem());
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other_key = file("other.key", &other.signing_key.serialize_pem());
    let rubbish = file("rubbish.pem", "this is no certificate\n");
    let missing = office.folder().join("missing.pem");

    let serve = |certificate: &Path, key: &Path, names: &[&str]| {
        let mut serve = office.serve_command();
        serve.args(["--listen", "pop3s=127.0.0.1:0", "--certificate"]).arg(certificate);
        serve.arg("--key").arg(key);
        refused(&office, &mut serve, names);
    };
    serve(&missing, &good_key, &["missing.pem"]);
    serve(&good, &missing, &["missing.pem"]);
    serve(&rubbish, &good_key, &["rubbish.pem"]);
    serve(&good, &rubbish, &["rubbish.pem"]);
    serve(&good, &other_key, &["good.pem"]);

    // Root reads whatever it likes.
    if !rustix::process::getuid().is_root() {
        fs::set_permissions(&good_key, fs::Permissions::from_mode(0o0)).unwrap();
        serve(&good, &good_key, &["good.key"]);
    }
}

#[test]
fn a_broken_configuration_is_refused_with_its_place() {
    let office = Office::new(&[]);
    let config = office.folder().join("restante.toml");
    for (text, names) in [
        ("data = [\n", ["restante.toml", ":"]),
        ("no_such_key = 1\n", ["restante.toml:1", "no_such_key"]),
        ("\n\nmaildrop = 7\n", ["restante.toml:3", "maildrop"]),
    ] {
        fs::write(&config, text).unwrap();
        let mut serve = office.serve_command();
        serve.arg("--config").arg(&config).args(["--listen", "pop3=127.0.0.1:0"]);
        let ended = process::run("serve", office.folder(), &mut serve);
        assert!(!ended.status.success(), "{text:?} is accepted");
        for name in names {
            assert!(ended.stderr.contains(name), "{text:?}: {name} is not in {}", ended.stderr);
        }
    }

    let mut collect = office::restante();
    collect.arg("collect").arg("--config").arg(office.folder().join("missing.toml"));
    refused(&office, &mut collect, &["missing.toml"]);
    fs::write(&config, "[[account]]\nname = \"x\"\nserver = 5\n").unwrap();
    let mut collect = office::restante();
    collect.arg("collect").arg("--config").arg(&config);
    let ended = process::run("collect", office.folder(), &mut collect);
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("restante.toml"), "{}", ended.stderr);
}

/// Runs a command that must fail with one line that names these things.
fn refused(office: &Office, command: &mut Command, names: &[&str]) {
    let ended = process::run("refused", office.folder(), command);
    assert!(!ended.status.success(), "{command:?} works");
    assert_eq!(ended.stderr.lines().count(), 1, "one line, not:\n{}", ended.stderr);
    for name in names {
        assert!(ended.stderr.contains(name), "{name} is not in: {}", ended.stderr);
    }
}

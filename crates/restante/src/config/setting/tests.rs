//! Each row of the table sets what it shows, and nothing else.

use std::path::Path;

use super::super::CertificateFiles;
use super::super::reading::{LISTEN, apply};
use super::*;

fn text_of(setting: &Setting, value: &Value) -> String {
    match setting.split() {
        ("", key) => format!("{key} = {value}\n"),
        (table, key) => format!("[{table}]\n{key} = {value}\n"),
    }
}

/// Each row is set to another value than its default, and that value must be shown by that
/// row and change no other: a row that was copied and not quite adapted shows.
#[test]
fn every_setting_sets_what_it_shows_and_nothing_else() {
    let default = Config::default();
    for setting in SETTINGS {
        let value = match (setting.key, (setting.show)(&default)) {
            ("maildrop", _) => Value::String("/m/{user}".to_owned()),
            ("users", _) => {
                let table = UserTable::passwd_file("/x".into()).to_value();
                Value::Array(vec![table])
            }
            ("login.scram", _) => Value::String("never".to_owned()),
            ("policy.trash", _) => Value::String("Trash".to_owned()),
            ("policy.without_utf8", _) => Value::String("refuse".to_owned()),
            ("policy.language", _) => Value::String("es".to_owned()),
            ("login.rehash", _) => Value::String("argon2id".to_owned()),
            ("tls.client_certificates", _) => Value::String("required".to_owned()),
            ("oauth.jwks_url" | "oauth.introspection_url" | "acme.directory", _) => {
                Value::String("https://x/".to_owned())
            }
            ("oauth.hosts" | "acme.names", _) => Value::Array(vec!["x".into()]),
            ("oauth.ports", _) => Value::Array(vec![5.into()]),
            ("tls.client_names", _) => Value::Array(vec!["uid".into()]),
            ("login.folder_separator", _) => Value::String("+".to_owned()),
            ("tls.certificates", _) => {
                let (certificate, key) = ("/c".into(), "/k".into());
                certificates_value(&[CertificateFiles { certificate, key }]).unwrap()
            }
            ("sandbox.paths", _) => Value::Array(vec!["/x".into()]),
            (_, Some(Value::Array(_))) => Value::Array(vec!["192.0.2.0/24".into()]),
            (_, Some(Value::Integer(number))) => Value::Integer(number + 1),
            (_, Some(Value::Boolean(flag))) => Value::Boolean(!flag),
            (key, _) if key.starts_with("listen.") || key == "acme.listen" => {
                Value::String("[::1]:5".to_owned())
            }
            _ => Value::String("/x".to_owned()),
        };
        let mut config = default.clone();
        let problems = apply(&mut config, &text_of(setting, &value), Path::new("/"));
        assert_eq!(problems, [], "{}", setting.key);
        for other in SETTINGS {
            let (before, after) = ((other.show)(&default), (other.show)(&config));
            let follows = matches!(
                (setting.key, other.key),
                ("data" | "users", "passwd") | ("data", "audit")
            ) || (setting.split().0, other.split().0) == (LISTEN, LISTEN);
            if other.key == setting.key {
                assert_eq!(after, Some(value.clone()), "{}", setting.key);
            } else if !follows {
                assert_eq!(before, after, "{} sets {}", setting.key, other.key);
            }
        }
    }
}

#[test]
fn settings_of_a_table_stand_together_and_have_their_meaning() {
    let mut tables: Vec<_> = SETTINGS.iter().map(|setting| setting.split().0).collect();
    tables.dedup();
    let count = tables.len();
    tables.sort_unstable();
    tables.dedup();
    assert_eq!(tables.len(), count, "{tables:?}");
    assert!(SETTINGS.iter().all(|setting| setting.doc.ends_with('.')));
}

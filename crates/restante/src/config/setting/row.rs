//! What rows of the table have in common: kinds of values, choices, and how they are shown.

use std::path::Path;

use restante_auth::{NewScheme, ScramOffer};
use restante_proto::pop3::WithoutUtf8;
use restante_server::IpNet;
use restante_server::tls::NameField;
use toml::Value;

use crate::config::{CertificateFiles, ClientCertificates};

pub(super) const YEAR_S: usize = 365 * 24 * 60 * 60;

pub(super) const SCRAM_OFFERS: [(&str, ScramOffer); 3] = [
    ("when-all-can", ScramOffer::WhenAllCan),
    ("always", ScramOffer::Always),
    ("never", ScramOffer::Never),
];

pub(super) const REHASH: [(&str, Option<NewScheme>); 3] = [
    ("off", None),
    ("argon2id", Some(NewScheme::Argon2id)),
    ("scram-sha-256", Some(NewScheme::ScramSha256)),
];

pub(super) const WITHOUT_UTF8: [(&str, WithoutUtf8); 3] = [
    ("raw", WithoutUtf8::Raw),
    ("downgrade", WithoutUtf8::Downgrade),
    ("refuse", WithoutUtf8::Refuse),
];

pub(super) const CLIENT_CERTIFICATES: [(&str, ClientCertificates); 3] = [
    ("off", ClientCertificates::Off),
    ("optional", ClientCertificates::Optional),
    ("required", ClientCertificates::Required),
];

pub(super) const NAME_FIELDS: [(&str, NameField); 3] =
    [("email", NameField::Email), ("cn", NameField::CommonName), ("uid", NameField::UserId)];

pub(super) fn name_of<T: PartialEq>(choices: &[(&str, T)], value: T) -> Option<Value> {
    let choice = choices.iter().find(|(_, choice)| *choice == value);
    choice.map(|(name, _)| Value::String((*name).to_owned()))
}

macro_rules! count {
    ($key:literal, $doc:literal, $($field:ident).+, $range:expr) => {
        Setting {
            key: $key,
            doc: $doc,
            set: |config, given| given.count($range).map(|n| config.$($field).+ = n),
            show: |config| i64::try_from(config.$($field).+).ok().map(Value::Integer),
        }
    };
}

macro_rules! seconds {
    ($key:literal, $doc:literal, $($field:ident).+, $range:expr) => {
        Setting {
            key: $key,
            doc: $doc,
            set: |config, given| given.seconds($range).map(|s| config.$($field).+ = s),
            show: |config| i64::try_from(config.$($field).+.as_secs()).ok().map(Value::Integer),
        }
    };
}

macro_rules! listener {
    ($key:literal, $doc:literal, $name:expr) => {
        Setting {
            key: $key,
            doc: $doc,
            set: |config, given| {
                given.address().map(|address| {
                    config.listen.insert($name, address);
                })
            },
            show: |config| config.listen.get(&$name).map(|a| Value::String(a.to_string())),
        }
    };
}

macro_rules! strictness {
    ($key:literal, $doc:literal, $name:expr) => {
        Setting {
            key: $key,
            doc: $doc,
            set: |config, given| {
                given.flag().map(|strict| {
                    if strict {
                        config.strict.insert($name);
                    } else {
                        config.strict.remove(&$name);
                    }
                })
            },
            show: |config| Some(Value::Boolean(config.strict.contains(&$name))),
        }
    };
}

pub(super) fn path_value(path: &Path) -> Value {
    Value::String(path.to_string_lossy().into_owned())
}

macro_rules! proxies {
    ($key:literal, $doc:literal, $name:expr) => {
        Setting {
            key: $key,
            doc: $doc,
            set: |config, given| {
                given.networks().map(|networks| {
                    config.proxies.insert($name, networks);
                })
            },
            show: |config| Some(networks_value(config.proxies.get(&$name).into_iter().flatten())),
        }
    };
}

pub(super) fn networks_value<'a>(networks: impl IntoIterator<Item = &'a IpNet>) -> Value {
    Value::Array(networks.into_iter().map(|network| Value::String(network.to_string())).collect())
}

pub(super) fn certificates_value(files: &[CertificateFiles]) -> Option<Value> {
    let entry = |files: &CertificateFiles| {
        let mut table = toml::Table::new();
        table.insert("certificate".to_owned(), path_value(&files.certificate));
        table.insert("key".to_owned(), path_value(&files.key));
        Value::Table(table)
    };
    Some(Value::Array(files.iter().map(entry).collect()))
}

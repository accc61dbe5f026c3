//! The file's text on its way into a configuration.
//!
//! In: the text. Out: settings, and every problem with the place where it stands: what is no TOML,
//! keys that do not exist, values that do not fit, and settings that contradict each other.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::report::Problem;
use super::setting::{SETTINGS, Setting};
use super::value::Given;
use super::{ClientCertificates, Config, Oauth};

/// Sets everything `text` sets and returns what is wrong with it.
pub(super) fn apply(config: &mut Config, text: &str, folder: &Path) -> Vec<Problem> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let whole = 0..text.len().min(1);
        return errors
            .into_iter()
            .map(|error| {
                Problem::new(error.span().unwrap_or_else(|| whole.clone()), error.message())
            })
            .collect();
    }
    let mut problems = Vec::new();
    for (key, value) in document.get_ref() {
        let name = key.get_ref().as_ref();
        match value.get_ref() {
            _ if FOREIGN_TABLES.contains(&name) => {}
            DeValue::Table(table) if is_table(name) => {
                if name == LISTEN {
                    // Who names listeners names all of them.
                    config.listen.clear();
                }
                for (key, value) in table {
                    let path = format!("{name}.{}", key.get_ref());
                    set(config, &path, key.span(), value, folder, &mut problems);
                }
            }
            _ if is_table(name) => {
                let message = format!("`{name}` is a table: write [{name}] and its keys below");
                problems.push(Problem::new(value.span(), message));
            }
            _ => set(config, name, key.span(), value, folder, &mut problems),
        }
    }
    problems.sort_by_key(|problem| problem.span.start);
    problems
}

/// What is wrong with settings that are right one by one.
pub(super) fn contradictions(config: &Config, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Err(error) = config.layout() {
        let message = format!("`maildrop`: {error}");
        problems.push(Problem::new(span_of(text, "", "maildrop"), message));
    }
    if config.passwd.is_some() && !config.users.is_empty() {
        let message = "`passwd` is the only user database where it is set: make it one of `users`";
        problems.push(Problem::new(span_of(text, "", "passwd"), message));
    }
    let missing = match (&config.tls.certificate, &config.tls.key) {
        (Some(_), None) => Some(("certificate", "key")),
        (None, Some(_)) => Some(("key", "certificate")),
        _ => None,
    };
    // A self-signed certificate beside real ones would be for all who ask for no name.
    let needs_default = (!config.tls.certificates.is_empty() && config.tls.certificate.is_none())
        .then_some(("certificates", "certificate"));
    if let Some((given, missing)) = missing.or(needs_default) {
        let message = format!("`tls.{given}` needs `tls.{missing}` beside it");
        problems.push(Problem::new(span_of(text, "tls", given), message));
    }
    if config.group.is_some() && config.user.is_none() {
        let message = "`group` needs `user` beside it".to_owned();
        problems.push(Problem::new(span_of(text, "", "group"), message));
    }
    let digests = [("apop", config.login.apop), ("cram_md5", config.login.cram_md5)];
    if let (Some(_), Some((digest, _))) = (config.login.rehash, digests.iter().find(|(_, on)| *on))
    {
        let message = format!(
            "`login.rehash` takes away what `login.{digest}` needs: passwords stored as {{PLAIN}}"
        );
        problems.push(Problem::new(span_of(text, "login", "rehash"), message));
    }
    let asked = config.tls.client_certificates != ClientCertificates::Off;
    let missing = match (asked, &config.tls.client_ca, &config.tls.client_crl) {
        (true, None, _) => Some("client_certificates"),
        (_, None, Some(_)) => Some("client_crl"),
        _ => None,
    };
    if let Some(given) = missing {
        let message = format!("`tls.{given}` needs `tls.client_ca` beside it");
        problems.push(Problem::new(span_of(text, "tls", given), message));
    }
    if !config.acme.names.is_empty() && !config.acme.accept_terms {
        let message = "`acme.names` needs `acme.accept_terms = true` beside it";
        problems.push(Problem::new(span_of(text, "acme", "names"), message));
    }
    problems.extend(issuer_contradiction(&config.oauth, text));
    problems
}

/// What is wrong with how tokens are to be checked.
fn issuer_contradiction(oauth: &Oauth, text: &str) -> Option<Problem> {
    let ways = [
        ("jwks", oauth.jwks.is_some()),
        ("jwks_url", oauth.jwks_url.is_some()),
        ("introspection_url", oauth.introspection_url.is_some()),
    ];
    let names = [("issuer", oauth.issuer.is_some()), ("audience", oauth.audience.is_some())];
    let client = [
        ("client_id", oauth.client_id.is_some()),
        ("client_secret_file", oauth.client_secret_file.is_some()),
    ];
    let given = |keys: &[(&'static str, bool)]| {
        keys.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect::<Vec<_>>()
    };
    let missing =
        |keys: &[(&'static str, bool)]| keys.iter().find(|(_, given)| !*given).map(|(key, _)| *key);
    let wrong = |key: &str, message: String| {
        Some(Problem::new(span_of(text, "oauth", key), format!("`oauth.{key}` {message}")))
    };
    let needs = |key: &str, other: &str| wrong(key, format!("needs `oauth.{other}` beside it"));
    match given(&ways).as_slice() {
        [] => {
            let stray = given(&names).into_iter().chain(given(&client)).next()?;
            let way = if stray.starts_with("client") { "introspection_url" } else { "jwks" };
            needs(stray, way)
        }
        [way @ "introspection_url"] => needs(way, missing(&client)?),
        [way] => needs(way, missing(&names)?),
        [first, second, ..] => wrong(second, format!("and `oauth.{first}` exclude each other")),
    }
}

fn set(
    config: &mut Config,
    path: &str,
    key: Range<usize>,
    value: &toml::Spanned<DeValue<'_>>,
    folder: &Path,
    problems: &mut Vec<Problem>,
) {
    let Some(setting) = SETTINGS.iter().find(|setting| setting.key == path) else {
        problems.push(Problem::new(key, unknown(path)));
        return;
    };
    let given = Given { value: value.get_ref(), folder };
    if let Err(message) = (setting.set)(config, &given) {
        problems.push(Problem::new(value.span(), format!("`{path}`: {message}")));
    }
}

/// What to say of a key that is none: the likely one, or all there are.
fn unknown(path: &str) -> String {
    let (table, name) = path.split_once('.').unwrap_or(("", path));
    let known: Vec<&str> = if table.is_empty() {
        let tables = FOREIGN_TABLES.iter().copied();
        let mut names: Vec<_> = SETTINGS
            .iter()
            .map(|setting| match setting.split() {
                ("", key) => key,
                (table, _) => table,
            })
            .chain(tables)
            .collect();
        names.dedup();
        names
    } else {
        let keys = SETTINGS.iter().map(Setting::split);
        keys.filter(|&(of, _)| of == table).map(|(_, key)| key).collect()
    };
    let place = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
    let likely = known
        .iter()
        .map(|known| (distance(name, known), *known))
        .min()
        .filter(|&(distance, known)| distance <= known.len().div_ceil(3));
    match likely {
        Some((_, likely)) => format!("unknown key `{name}`{place}; did you mean `{likely}`?"),
        None => format!("unknown key `{name}`{place}; known are {}", known.join(", ")),
    }
}

/// How many letters must be added, taken away or changed to make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (above, y) in row.iter_mut().skip(1).zip(&b) {
            let change = corner + usize::from(x != *y);
            corner = *above;
            left = change.min(corner + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn is_table(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.split().0 == name && !name.is_empty())
}

/// Where a key stands; it was found there before.
fn span_of(text: &str, table: &str, key: &str) -> Range<usize> {
    let (document, _) = DeTable::parse_recoverable(text);
    let named = |name: &str| document.get_ref().iter().find(|(key, _)| key.get_ref() == name);
    let span = match table {
        "" => named(key).map(|(key, _)| key.span()),
        _ => named(table).and_then(|(_, value)| value.get_ref().as_table()).and_then(|keys| {
            keys.keys().find(|name| name.get_ref() == key).map(toml::Spanned::span)
        }),
    };
    span.unwrap_or_default()
}

/// Tables that other parts of the office read and check.
const FOREIGN_TABLES: [&str; 1] = ["account"];
pub(super) const LISTEN: &str = "listen";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_two_words_is_what_it_takes_to_make_one_of_the_other() {
        for (a, b, steps) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("a", "", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (steps, steps), "{a} {b}");
        }
    }

    #[test]
    fn r24_logins_that_ask_somebody_keep_no_place_of_a_processor() {
        let issuer = "issuer = \"https://a.example\"\naudience = \"mail\"\n";
        let published = format!("[oauth]\njwks_url = \"https://a.example/keys\"\n{issuer}");
        let keys = format!("[oauth]\njwks = \"keys\"\n{issuer}");
        let asked = "[oauth]\nintrospection_url = \"https://a.example/\"\nclient_id = \"pop3\"\n\
             client_secret_file = \"secret\"\n";
        let pam = "[[users]]\ntype = \"pam\"\n";
        for (text, asks) in
            [("", false), (&keys, false), (&published, true), (asked, true), (pam, true)]
        {
            let config = Config::parse(Path::new("/etc/restante.toml"), text);
            assert_eq!(config.map(|config| config.asks_others()).ok(), Some(asks), "{text}");
        }
    }
}

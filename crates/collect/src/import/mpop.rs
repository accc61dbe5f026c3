//! mpop: `~/.mpoprc`, and `~/.mpop_uidls/` with a file of unique-ids for each account.
//!
//! In: their text. Out: accounts and ids. A line of the configuration is a command and its
//! argument, in double quotes where it needs them; `account name : other` begins with what the
//! other one says. mpop keeps no times, and forgets ids that the server does not list.

use std::collections::BTreeMap;

use restante_client::{Encryption, Secret};

use super::found::{ALWAYS, NEVER};
use super::{Found, FoundSecret, Import, ImportError, Place, Seen, limited, lines};

/// What an account's lines say, by command.
type Settings = BTreeMap<&'static str, String>;

pub(super) fn accounts(text: &str, place: &Place) -> Result<Import, ImportError> {
    let mut import = Import::default();
    let mut defaults = Settings::new();
    let mut named: Vec<(String, Settings)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |message: String| ImportError { line: index + 1, message };
        let (command, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let argument = argument.trim();
        let argument =
            argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(argument);
        limited(named.len(), index + 1)?;
        match command {
            // Those that follow begin with what stands in the last one.
            "defaults" => named.push((String::new(), Settings::new())),
            "account" => {
                if let Some((name, settings)) = named.last()
                    && name.is_empty()
                {
                    defaults = settings.clone();
                }
                let (name, others) = argument.split_once(':').unwrap_or((argument, ""));
                if name.trim().is_empty() {
                    return Err(wrong("an account without a name".to_owned()));
                }
                let mut settings = defaults.clone();
                for other in others.split(',').map(str::trim).filter(|other| !other.is_empty()) {
                    let Some((_, known)) = named.iter().find(|(name, _)| name == other) else {
                        return Err(wrong(format!("there is no account {other:?} before this")));
                    };
                    settings.extend(known.iter().map(|(key, value)| (*key, value.clone())));
                }
                named.push((name.trim().to_owned(), settings));
            }
            _ => {
                let Some((_, settings)) = named.last_mut() else {
                    return Err(wrong(format!("{command:?} belongs to no account")));
                };
                match COMMANDS.iter().find(|known| **known == command) {
                    Some(known) => drop(settings.insert(known, argument.to_owned())),
                    None => return Err(wrong(format!("mpop has no command {command:?}"))),
                }
            }
        }
    }
    for (name, settings) in named.iter().filter(|(name, _)| !name.is_empty()) {
        match (settings.get("host"), settings.get("user")) {
            (Some(server), Some(user)) if !server.is_empty() && !user.is_empty() => {
                import.accounts.push(account(name, server, user, settings, place));
            }
            _ => import.left_out.push(format!("account {name:?}: no host or no user is named")),
        }
    }
    Ok(import)
}

fn account(name: &str, server: &str, user: &str, settings: &Settings, place: &Place) -> Found {
    let text = |key| settings.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let on = |key, default| settings.get(key).map_or(default, |value| value != "off");
    let mut found = Found::new(name, server, user);
    found.port = text("port").and_then(|port| port.parse().ok());
    found.encryption = match (on("tls", false), on("tls_starttls", true)) {
        (false, _) => Encryption::None,
        (true, true) => Encryption::StartTls,
        (true, false) => Encryption::Tls,
    };
    let token = matches!(text("auth"), Some("oauthbearer" | "xoauth2"));
    found.secret = match (text("password"), text("passwordeval")) {
        (Some(password), _) if !token => FoundSecret::Password(Secret::new(password.to_owned())),
        (_, Some(line)) if token => FoundSecret::TokenShell(line.to_owned()),
        (_, Some(line)) => FoundSecret::Shell(line.to_owned()),
        _ => FoundSecret::Missing,
    };
    found.mechanism = match text("auth") {
        Some("apop") => Some("APOP"),
        Some("cram-md5") => Some("CRAM-MD5"),
        Some("scram-sha-1") => Some("SCRAM-SHA-1"),
        Some("scram-sha-256") => Some("SCRAM-SHA-256"),
        Some("scram-sha-1-plus") => Some("SCRAM-SHA-1-PLUS"),
        Some("scram-sha-256-plus") => Some("SCRAM-SHA-256-PLUS"),
        _ => None,
    };
    let trusted = text("tls_trust_file").filter(|file| *file != "system");
    found.ca_file = trusted.map(|file| place.path(file));
    found.client_certificate = text("tls_cert_file")
        .zip(text("tls_key_file"))
        .map(|(certificate, key)| (place.path(certificate), place.path(key)));
    found.proxy = text("proxy_host")
        .map(|host| format!("socks5://{host}:{}", text("proxy_port").unwrap_or("1080")));
    found.timeout_s = text("timeout").and_then(|seconds| seconds.parse().ok());
    found.leave = if on("keep", false) { ALWAYS } else { NEVER }.to_owned();
    match text("delivery").map(|how| how.split_once([' ', '\t', ',']).unwrap_or((how, ""))) {
        Some(("maildir", folder)) => found.maildir = Some(place.path(unquoted(folder))),
        Some((how, _)) => found.left_out.push(format!("delivery {how}: mail goes to a Maildir")),
        None => {}
    }
    found.seen_files = match text("uidls_file") {
        Some(file) => vec![place.path(&file.replace("%U", user).replace("%H", server))],
        None => {
            // A name that leaves the folder is not one that mpop has written.
            let name = format!("{user}_at_{server}").replace('/', "_");
            vec![place.at_home(".mpop_uidls").join(name)]
        }
    };
    if let Some(method @ ("digest-md5" | "gssapi" | "ntlm" | "external")) = text("auth") {
        found.left_out.push(format!("auth {method}: name what to log in with"));
    }
    for key in NOT_TAKEN {
        if text(key).is_some_and(|value| value != "off") {
            found.left_out.push((*key).to_owned());
        }
    }
    if !on("tls_certcheck", true) {
        found.left_out.push("tls_certcheck off: certificates are always checked".to_owned());
    }
    if !on("only_new", true) {
        found.left_out.push("only_new off: no message is fetched twice".to_owned());
    }
    found
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

/// ` number host user` before the ids of each account, which have a line each.
pub(super) fn seen(state: &[u8], account: &Found) -> Vec<Seen> {
    let (server, user) = &account.known_as;
    let mut seen = Vec::new();
    let mut ours = false;
    for line in lines(state) {
        match line.first() {
            None | Some(b'#') => {}
            Some(b' ') => {
                let mut words = line.splitn(4, |&octet| octet == b' ').skip(2);
                ours = words.next() == Some(server.as_bytes())
                    && words.next() == Some(user.as_bytes());
            }
            Some(_) if ours => {
                seen.push(Seen { unique_id: line.into(), time: None, delete: account.deletes() });
            }
            Some(_) => {}
        }
    }
    seen
}

const COMMANDS: [&str; 39] = [
    "host",
    "port",
    "source_ip",
    "proxy_host",
    "proxy_port",
    "socket",
    "timeout",
    "pipelining",
    "auth",
    "user",
    "password",
    "passwordeval",
    "ntlmdomain",
    "tls",
    "tls_starttls",
    "tls_trust_file",
    "tls_crl_file",
    "tls_fingerprint",
    "tls_key_file",
    "tls_cert_file",
    "tls_certcheck",
    "tls_priorities",
    "tls_host_override",
    "tls_min_dh_prime_bits",
    "delivery",
    "uidls_file",
    "only_new",
    "keep",
    "killsize",
    "skipsize",
    "filter",
    "received_header",
    "eval",
    // Of older versions.
    "connect_timeout",
    "tls_nocertcheck",
    "tls_force_sslv3",
    "add_missing_from_header",
    "keepalive",
    "domain",
];

/// Settings that change what happens to mail or who is spoken to.
const NOT_TAKEN: [&str; 11] = [
    "source_ip",
    "socket",
    "ntlmdomain",
    "tls_crl_file",
    "tls_fingerprint",
    "tls_priorities",
    "tls_host_override",
    "killsize",
    "skipsize",
    "filter",
    "eval",
];

#[cfg(test)]
mod tests {
    use super::super::tests::{place, shown};
    use super::*;

    const RC: &str = "
# Mine
defaults
tls on
delivery maildir ~/Mail

account work
host pop.example.org
user fred
password \"correct horse # battery\"
tls_trust_file /etc/ca.pem
timeout 30

account home : work
host pop.example.net
tls_starttls off
port 1995
user fred@example.net
passwordeval pass show home
keep on
filter /usr/bin/filter
uidls_file ~/ids/%U-%H

account token
host t
user u
auth xoauth2
passwordeval token
delivery mda /bin/x
";

    #[test]
    fn accounts_are_read_with_what_they_have_from_others() {
        let import = accounts(RC, &place()).unwrap();
        let [work, home, token] = &import.accounts[..] else { panic!("{import:?}") };
        assert_eq!(
            shown(work),
            "[[account]]\nname = \"NAME\"\nserver = \"pop.example.org\"\n\
             encryption = \"starttls\"\nuser = \"fred\"\npassword_file = \"PW\"\n\
             ca_file = \"/etc/ca.pem\"\ntimeout_s = 30\nleave = \"never\"\n\
             maildir = \"/mail/fred/Mail\"\n"
        );
        let FoundSecret::Password(password) = &work.secret else { panic!() };
        assert_eq!(password.expose(), "correct horse # battery");
        assert_eq!(work.seen_files, [place().at_home(".mpop_uidls/fred_at_pop.example.org")]);
        assert_eq!((home.encryption, home.port), (Encryption::Tls, Some(1995)));
        assert_eq!((&*home.leave, &home.left_out[..]), ("always", &["filter".to_owned()][..]));
        assert_eq!(home.seen_files, [place().at_home("ids/fred@example.net-pop.example.net")]);
        assert!(matches!(&token.secret, FoundSecret::TokenShell(line) if line == "token"));
        assert_eq!((token.maildir.as_deref(), token.left_out.len()), (None, 1));
    }

    #[test]
    fn what_is_no_configuration_is_refused_at_its_line() {
        for (text, line) in
            [("host a", 1), ("account a\n\nhots b", 3), ("account", 1), ("account a : b", 1)]
        {
            assert_eq!(accounts(text, &place()).unwrap_err().line, line, "{text}");
        }
        let import = accounts("account a\nhost b", &place()).unwrap();
        assert_eq!((import.accounts.len(), import.left_out.len()), (0, 1));
    }

    #[test]
    fn only_the_accounts_own_ids_are_taken() {
        let state = b"# by mpop\n 2 pop.example.org fred\na b\n#c\nd\n 1 pop.example.org fr\nx\n";
        let found = Found::new("n", "pop.example.org", "fred");
        let ids: Vec<_> = seen(state, &found).into_iter().map(|seen| seen.unique_id).collect();
        assert_eq!(ids, [&b"a b"[..], b"d"]);
    }
}

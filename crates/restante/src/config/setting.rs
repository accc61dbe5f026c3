//! The one table of settings: key, meaning, check, how to set it and how to show it.

#[macro_use]
mod row;

use restante_proto::pop3::Language;
use toml::Value;

use super::value::Given;
use super::{Config, ListenerName, UserTable};
use row::{
    CLIENT_CERTIFICATES, NAME_FIELDS, REHASH, SCRAM_OFFERS, WITHOUT_UTF8, YEAR_S,
    certificates_value, name_of, networks_value, path_value,
};

/// One thing that can be set.
pub(super) struct Setting {
    /// Its key, with its table: `limits.idle_s`.
    pub(super) key: &'static str,
    /// What it means, for people.
    pub(super) doc: &'static str,
    /// Checks a value and puts it into the configuration.
    pub(super) set: fn(&mut Config, &Given<'_>) -> Result<(), String>,
    /// What is in force; nothing when it is off.
    pub(super) show: fn(&Config) -> Option<Value>,
}

impl Setting {
    /// The table it belongs to (empty for the top) and its key in there.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}

/// Everything that can be set, tables together.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        doc: "The data folder: users, certificate and, unless `maildrop` says otherwise, mail.",
        set: |config, given| {
            given.path().map(|path| {
                config.data = path;
                config.data_is_named = true;
            })
        },
        show: |config| Some(path_value(&config.data)),
    },
    Setting {
        key: "passwd",
        doc: "The user database, a passwd-file in Dovecot's syntax; `passwd` in the data folder by default.",
        set: |config, given| given.path().map(|path| config.passwd = Some(path)),
        show: |config| config.users.is_empty().then(|| path_value(&config.passwd())),
    },
    Setting {
        key: "users",
        doc: "User databases, asked in order: [[users]] tables, which docs/serving.md describes; instead of `passwd`.",
        set: |config, given| super::users::tables(given).map(|tables| config.users = tables),
        show: |config| {
            let tables: Vec<_> = config.users.iter().map(UserTable::to_value).collect();
            (!tables.is_empty()).then_some(Value::Array(tables))
        },
    },
    Setting {
        key: "audit",
        doc: "The audit log of changes to users; `audit.jsonl` in the data folder by default.",
        set: |config, given| given.path().map(|path| config.audit = Some(path)),
        show: |config| Some(path_value(&config.audit())),
    },
    Setting {
        key: "maildrop",
        doc: "Where a user's maildrop lies; {data} is the data folder, {user} the user's name.",
        set: |config, given| given.text().map(|template| config.maildrop = template),
        show: |config| Some(Value::String(config.maildrop.clone())),
    },
    Setting {
        key: "user",
        doc: "Whom `serve`, started as root, becomes once its ports are open; the owner of all mail.",
        set: |config, given| given.name().map(|name| config.user = Some(name)),
        show: |config| config.user.clone().map(Value::String),
    },
    Setting {
        key: "group",
        doc: "That user's group; its own by default.",
        set: |config, given| given.name().map(|name| config.group = Some(name)),
        show: |config| config.group.clone().map(Value::String),
    },
    listener!(
        "listen.pop3",
        "POP3, with TLS by STLS; ADDRESS:PORT, port 0 is any free one. Naming any listener names all.",
        ListenerName::Pop3
    ),
    listener!("listen.pop3s", "POP3 inside TLS.", ListenerName::Pop3s),
    strictness!(
        "strict.pop3",
        "Whether POP3 takes only what the RFCs have, not what clients are known to send, too.",
        ListenerName::Pop3
    ),
    strictness!("strict.pop3s", "The same for POP3 inside TLS.", ListenerName::Pop3s),
    proxies!(
        "proxy.pop3",
        "Networks of proxies in front of this listener, which send headers of the PROXY protocol; nobody else is let in.",
        ListenerName::Pop3
    ),
    proxies!("proxy.pop3s", "The same for POP3 inside TLS.", ListenerName::Pop3s),
    Setting {
        key: "tls.certificate",
        doc: "PEM file with the certificate and its chain; a self-signed one is made when unset. It is also for clients that ask for no name, or one no certificate is for.",
        set: |config, given| given.path().map(|path| config.tls.certificate = Some(path)),
        show: |config| config.tls.certificate.as_deref().map(path_value),
    },
    Setting {
        key: "tls.key",
        doc: "PEM file with the certificate's private key.",
        set: |config, given| given.path().map(|path| config.tls.key = Some(path)),
        show: |config| config.tls.key.as_deref().map(path_value),
    },
    Setting {
        key: "tls.certificates",
        doc: "Further certificates with their keys, each for clients that ask for its names.",
        set: |config, given| given.certificates().map(|files| config.tls.certificates = files),
        show: |config| certificates_value(&config.tls.certificates),
    },
    Setting {
        key: "tls.client_certificates",
        doc: "Whether clients are asked for a certificate: `off`, `optional`, or `required` to be let in at all. With one, users log in by EXTERNAL.",
        set: |config, given| {
            let wanted = given.choice(&CLIENT_CERTIFICATES);
            wanted.map(|wanted| config.tls.client_certificates = wanted)
        },
        show: |config| name_of(&CLIENT_CERTIFICATES, config.tls.client_certificates),
    },
    Setting {
        key: "tls.client_ca",
        doc: "PEM file with the certificates of those who sign clients' certificates.",
        set: |config, given| given.path().map(|path| config.tls.client_ca = Some(path)),
        show: |config| config.tls.client_ca.as_deref().map(path_value),
    },
    Setting {
        key: "tls.client_crl",
        doc: "PEM file with what they have revoked (CRL), one list of each; without it nothing is.",
        set: |config, given| given.path().map(|path| config.tls.client_crl = Some(path)),
        show: |config| config.tls.client_crl.as_deref().map(path_value),
    },
    Setting {
        key: "tls.client_names",
        doc: "Where the user's name stands in a client's certificate: the first of these that it has; `email` (alternative name), `cn`, `uid` (subject).",
        set: |config, given| {
            given.choices(&NAME_FIELDS).map(|fields| config.tls.client_names = fields)
        },
        show: |config| {
            let fields = config.tls.client_names.iter();
            fields
                .map(|&field| name_of(&NAME_FIELDS, field))
                .collect::<Option<_>>()
                .map(Value::Array)
        },
    },
    Setting {
        key: "acme.names",
        doc: "Names of this server for which a certificate is fetched by ACME, and kept new; empty is none.",
        set: |config, given| given.texts().map(|names| config.acme.names = names),
        show: |config| {
            Some(Value::Array(config.acme.names.iter().cloned().map(Value::String).collect()))
        },
    },
    Setting {
        key: "acme.directory",
        doc: "The authority: the address of its ACME directory.",
        set: |config, given| given.web_address().map(|url| config.acme.directory = url),
        show: |config| Some(Value::String(config.acme.directory.clone())),
    },
    Setting {
        key: "acme.accept_terms",
        doc: "Whether you accept the authority's terms of service; without that there is no certificate.",
        set: |config, given| given.flag().map(|flag| config.acme.accept_terms = flag),
        show: |config| Some(Value::Boolean(config.acme.accept_terms)),
    },
    Setting {
        key: "acme.contact",
        doc: "A mail address to which the authority can write.",
        set: |config, given| given.name().map(|name| config.acme.contact = Some(name)),
        show: |config| config.acme.contact.clone().map(Value::String),
    },
    Setting {
        key: "acme.listen",
        doc: "Where the authority's questions (HTTP-01) arrive: port 80 of the names must lead here.",
        set: |config, given| given.address().map(|address| config.acme.listen = address),
        show: |config| Some(Value::String(config.acme.listen.to_string())),
    },
    Setting {
        key: "acme.ca",
        doc: "PEM file with the authorities that count for the directory's server, instead of the system's.",
        set: |config, given| given.path().map(|path| config.acme.ca = Some(path)),
        show: |config| config.acme.ca.as_deref().map(path_value),
    },
    Setting {
        key: "login.allow_cleartext",
        doc: "Whether passwords may be sent without TLS.",
        set: |config, given| given.flag().map(|flag| config.login.allow_cleartext = flag),
        show: |config| Some(Value::Boolean(config.login.allow_cleartext)),
    },
    Setting {
        key: "login.scram",
        doc: "When SCRAM is offered: `when-all-can` is when all users' stored passwords allow it, `always`, `never`.",
        set: |config, given| given.choice(&SCRAM_OFFERS).map(|offer| config.login.scram = offer),
        show: |config| name_of(&SCRAM_OFFERS, config.login.scram),
    },
    Setting {
        key: "login.rehash",
        doc: "What a stored password is renewed as when its user has logged in with it: `argon2id`, `scram-sha-256`, `off`.",
        set: |config, given| given.choice(&REHASH).map(|scheme| config.login.rehash = scheme),
        show: |config| name_of(&REHASH, config.login.rehash),
    },
    Setting {
        key: "login.cram_md5",
        doc: "Whether CRAM-MD5 is offered; it works for passwords stored as {PLAIN} alone.",
        set: |config, given| given.flag().map(|flag| config.login.cram_md5 = flag),
        show: |config| Some(Value::Boolean(config.login.cram_md5)),
    },
    Setting {
        key: "login.apop",
        doc: "Whether APOP is offered; it works for passwords stored as {PLAIN} alone.",
        set: |config, given| given.flag().map(|flag| config.login.apop = flag),
        show: |config| Some(Value::Boolean(config.login.apop)),
    },
    count!(
        "login.hash_threads",
        "Threads that check passwords; 0 is one less than there are processors.",
        login.limits.hash_threads,
        0..=1024
    ),
    count!(
        "login.queue",
        "Logins that may wait for such a thread; one more is told to come later.",
        login.limits.queue,
        1..=100_000
    ),
    seconds!(
        "login.wait_s",
        "How long a login waits for such a thread before it is told to come later.",
        login.limits.wait,
        1..=600
    ),
    seconds!(
        "login.cache_s",
        "How long a good login is remembered, so that a polling client costs no hash; 0 is never.",
        login.limits.cache_ttl,
        0..=YEAR_S
    ),
    count!(
        "login.cache_entries",
        "How many good logins are remembered.",
        login.limits.cache_entries,
        0..=10_000_000
    ),
    seconds!(
        "login.delay_s",
        "Time from a user's login to the next one, for users who have none of their own; 0 is none.",
        policy.login_delay,
        0..=YEAR_S
    ),
    Setting {
        key: "login.folder_separator",
        doc: "What parts a user's name from a folder to read: with \"+\", fred+Lists reads .Lists.",
        set: |config, given| given.separator().map(|c| config.login.folder_separator = Some(c)),
        show: |config| config.login.folder_separator.map(|c| Value::String(c.to_string())),
    },
    count!(
        "login.tries_per_user",
        "Wrong passwords of one user that cost nothing, by address; four times as many by network (/24, /48).",
        login.defence.tries_per_user,
        1..=1_000_000
    ),
    count!(
        "login.tries_per_address",
        "The same for all users together.",
        login.defence.tries_per_address,
        1..=1_000_000
    ),
    seconds!(
        "login.guess_delay_s",
        "The longest delay of a login after that; who would wait longer is turned away.",
        login.defence.delay_max,
        1..=3600
    ),
    count!(
        "login.waiting",
        "Logins that may be delayed at once; one more is turned away.",
        login.defence.waiting,
        1..=1_000_000
    ),
    seconds!(
        "login.forget_s",
        "Wrong passwords are forgotten after this time without another one.",
        login.defence.forget_time,
        1..=YEAR_S
    ),
    count!(
        "login.ban_tries",
        "Wrong passwords after which an address is banned; 0 is never.",
        login.defence.ban_tries,
        0..=1_000_000
    ),
    seconds!("login.ban_s", "How long a ban lasts.", login.defence.ban_time, 1..=YEAR_S),
    count!(
        "login.counters",
        "Counters of wrong passwords that are kept; the oldest are forgotten first.",
        login.defence.entries,
        100..=100_000_000
    ),
    Setting {
        key: "login.exempt",
        doc: "Networks that many people share, such as a web reader's: never banned, and counted user by user only.",
        set: |config, given| {
            given.networks().map(|networks| config.login.defence.exempt = networks)
        },
        show: |config| Some(networks_value(&config.login.defence.exempt)),
    },
    Setting {
        key: "oauth.jwks",
        doc: "Public keys of the OAuth issuer whose tokens are taken: a JWKS file, read again when it changes.",
        set: |config, given| given.path().map(|path| config.oauth.jwks = Some(path)),
        show: |config| config.oauth.jwks.as_deref().map(path_value),
    },
    Setting {
        key: "oauth.jwks_url",
        doc: "Where the issuer publishes these keys (its `jwks_uri`), instead of a file.",
        set: |config, given| given.web_address().map(|url| config.oauth.jwks_url = Some(url)),
        show: |config| config.oauth.jwks_url.clone().map(Value::String),
    },
    Setting {
        key: "oauth.introspection_url",
        doc: "Where the issuer is asked about each token (RFC 7662), instead of keys.",
        set: |config, given| {
            given.web_address().map(|url| config.oauth.introspection_url = Some(url))
        },
        show: |config| config.oauth.introspection_url.clone().map(Value::String),
    },
    Setting {
        key: "oauth.client_id",
        doc: "Who asks, as the issuer knows us.",
        set: |config, given| given.name().map(|name| config.oauth.client_id = Some(name)),
        show: |config| config.oauth.client_id.clone().map(Value::String),
    },
    Setting {
        key: "oauth.client_secret_file",
        doc: "File whose first line is the secret that belongs to it.",
        set: |config, given| given.path().map(|path| config.oauth.client_secret_file = Some(path)),
        show: |config| config.oauth.client_secret_file.as_deref().map(path_value),
    },
    Setting {
        key: "oauth.ca",
        doc: "PEM file with the authorities that count for the issuer's server, instead of the system's.",
        set: |config, given| given.path().map(|path| config.oauth.ca = Some(path)),
        show: |config| config.oauth.ca.as_deref().map(path_value),
    },
    Setting {
        key: "oauth.issuer",
        doc: "What a token must say of its issuer (`iss`).",
        set: |config, given| given.name().map(|name| config.oauth.issuer = Some(name)),
        show: |config| config.oauth.issuer.clone().map(Value::String),
    },
    Setting {
        key: "oauth.audience",
        doc: "What a token must be for (`aud`).",
        set: |config, given| given.name().map(|name| config.oauth.audience = Some(name)),
        show: |config| config.oauth.audience.clone().map(Value::String),
    },
    Setting {
        key: "oauth.user_claim",
        doc: "The claim of a token that holds the name of the user.",
        set: |config, given| given.name().map(|name| config.oauth.user_claim = name),
        show: |config| Some(Value::String(config.oauth.user_claim.clone())),
    },
    Setting {
        key: "oauth.hosts",
        doc: "Names of this server; a client that says which it sent its token to (OAUTHBEARER) must say one of them; empty is any.",
        set: |config, given| given.texts().map(|hosts| config.oauth.hosts = hosts),
        show: |config| {
            Some(Value::Array(config.oauth.hosts.iter().cloned().map(Value::String).collect()))
        },
    },
    Setting {
        key: "oauth.ports",
        doc: "The same for its ports.",
        set: |config, given| given.ports().map(|ports| config.oauth.ports = ports),
        show: |config| {
            let ports = config.oauth.ports.iter().map(|&port| Value::Integer(port.into()));
            Some(Value::Array(ports.collect()))
        },
    },
    Setting {
        key: "oauth.any_user",
        doc: "Whether a token opens maildrops of users who are not in the user database.",
        set: |config, given| given.flag().map(|flag| config.oauth.any_user = flag),
        show: |config| Some(Value::Boolean(config.oauth.any_user)),
    },
    Setting {
        key: "sandbox.files",
        doc: "Whether `serve` gives up all files it does not need (Landlock), where the kernel can.",
        set: |config, given| given.flag().map(|flag| config.sandbox.files = flag),
        show: |config| Some(Value::Boolean(config.sandbox.files)),
    },
    Setting {
        key: "sandbox.calls",
        doc: "Whether `serve` gives up system calls it never makes (seccomp), where the kernel can.",
        set: |config, given| given.flag().map(|flag| config.sandbox.calls = flag),
        show: |config| Some(Value::Boolean(config.sandbox.calls)),
    },
    Setting {
        key: "sandbox.paths",
        doc: "Folders that `serve` may read and write besides those the other settings name, such as where links in the mail folder lead.",
        set: |config, given| given.paths().map(|paths| config.sandbox.paths = paths),
        show: |config| {
            let paths = config.sandbox.paths.iter();
            Some(Value::Array(paths.map(|path| path_value(path)).collect()))
        },
    },
    count!(
        "policy.expire_days",
        "Days a message is kept, from its arrival; what is older goes at the next QUIT; for users who have no time of their own; 0 is for ever.",
        policy.expire_days,
        0..=36_500
    ),
    Setting {
        key: "policy.download_once",
        doc: "Whether a message that was retrieved whole is deleted at QUIT.",
        set: |config, given| given.flag().map(|flag| config.policy.download_once = flag),
        show: |config| Some(Value::Boolean(config.policy.download_once)),
    },
    Setting {
        key: "policy.trash",
        doc: "Maildir++ folder to which deleted messages are moved, `Trash` for .Trash; they are removed when unset.",
        set: |config, given| given.folder().map(|folder| config.trash = Some(folder)),
        show: |config| config.trash.clone().map(Value::String),
    },
    Setting {
        key: "policy.shared_sessions",
        doc: "Whether several sessions may open a maildrop at once, each with its own fixed view of it.",
        set: |config, given| given.flag().map(|flag| config.policy.shared_sessions = flag),
        show: |config| Some(Value::Boolean(config.policy.shared_sessions)),
    },
    Setting {
        key: "policy.last",
        doc: "Whether LAST is answered, which clients of the early nineties ask.",
        set: |config, given| given.flag().map(|flag| config.policy.last = flag),
        show: |config| Some(Value::Boolean(config.policy.last)),
    },
    Setting {
        key: "policy.blank_line",
        doc: "Whether a message that is all header gets a blank line, as Outlook Express and Netscape hang without.",
        set: |config, given| given.flag().map(|flag| config.blank_lines = flag),
        show: |config| Some(Value::Boolean(config.blank_lines)),
    },
    Setting {
        key: "policy.replace_nul",
        doc: "Whether a NUL in a message is sent as octet 0x80, as Outlook hangs on NUL.",
        set: |config, given| given.flag().map(|flag| config.policy.replace_nul = flag),
        show: |config| Some(Value::Boolean(config.policy.replace_nul)),
    },
    Setting {
        key: "policy.without_utf8",
        doc: "What a client that did not send UTF8 gets of a message with UTF-8 in its headers: `raw` is the message as it is, `downgrade` one with ASCII headers, `refuse` an error.",
        set: |config, given| {
            given.choice(&WITHOUT_UTF8).map(|without| config.policy.without_utf8 = without)
        },
        show: |config| name_of(&WITHOUT_UTF8, config.policy.without_utf8),
    },
    Setting {
        key: "policy.language",
        doc: "The language of replies to a client that asks for the server's own (LANG *); i-default is English.",
        set: |config, given| {
            let known = Language::ALL.map(|language| (language.tag(), language));
            given.choice(&known).map(|language| config.policy.language = language)
        },
        show: |config| Some(Value::String(config.policy.language.tag().to_owned())),
    },
    count!(
        "limits.connections",
        "Connections open at once; one more is told to come later.",
        limits.connections,
        1..=1_000_000
    ),
    count!(
        "limits.connections_per_address",
        "Connections open at once from one address (in IPv6 a /64); four times as many from a /48.",
        limits.connections_per_address,
        1..=1_000_000
    ),
    count!(
        "limits.sessions_per_user",
        "Sessions of one user at once: with `login.folder_separator` or `policy.shared_sessions` there can be several.",
        limits.sessions_per_user,
        1..=1_000_000
    ),
    seconds!("limits.handshake_s", "Time for a TLS handshake.", limits.handshake_time, 1..=600),
    seconds!(
        "limits.login_s",
        "Time from the greeting to a good login.",
        limits.login_time,
        1..=YEAR_S
    ),
    seconds!(
        "limits.idle_s",
        "Time without a command before a session ends; RFC 1939 asks for 600 at least.",
        limits.idle_time,
        1..=YEAR_S
    ),
    seconds!(
        "limits.write_s",
        "Time in which a client must take some octets of a reply.",
        limits.write_time,
        1..=YEAR_S
    ),
    count!(
        "limits.octets_per_s_min",
        "Octets a second that a client must take of what it asked for; it may be `write_s` behind; 0 is any.",
        limits.octets_per_s_min,
        0..=1_000_000
    ),
    seconds!(
        "limits.stop_s",
        "How long a stop waits for sessions that are removing their deleted messages.",
        limits.stop_time,
        1..=YEAR_S
    ),
    seconds!(
        "limits.takeover_s",
        "Silence after which a session makes way for a new login of its user; 0 is never.",
        limits.takeover_time,
        0..=YEAR_S
    ),
];

#[cfg(test)]
mod tests;

//! fetchmail: `~/.fetchmailrc`, and `~/.fetchids` with a line for each message that was fetched
//! and left on the server.
//!
//! In: their text. Out: accounts and ids. fetchmail keeps no times. Server options belong to the
//! entry (`poll`), user options to each `user` in it; what comes after `defaults` is where the
//! entries behind it begin.

mod token;

use restante_client::{Encryption, Secret};

use super::found::{ALWAYS, NEVER};
use super::{Found, FoundSecret, Import, ImportError, Place, Seen, limited, lines};
use token::{Token, Tokens};

pub(super) fn accounts(text: &str, place: &Place) -> Result<Import, ImportError> {
    let mut reader = Reader {
        tokens: Tokens::new(text)?,
        place,
        defaults: (Server::default(), User::default()),
        server: None,
        user: None,
        ids: Vec::new(),
        import: Import::default(),
    };
    while let Some(token) = reader.tokens.next() {
        let accounts = reader.import.accounts.len() + reader.import.left_out.len();
        limited(accounts, token.line)?;
        reader.statement(&token)?;
    }
    reader.end_entry();
    let mut import = reader.import;
    let ids = reader.ids;
    for found in &mut import.accounts {
        found.seen_files = if ids.is_empty() {
            vec![place.folder.join(".fetchids"), place.at_home(".fetchids")]
        } else {
            ids.clone()
        };
    }
    Ok(import)
}

/// What stands before the users of an entry.
#[derive(Debug, Clone, Default)]
struct Server {
    is_defaults: bool,
    name: String,
    via: Option<String>,
    protocol: Option<String>,
    port: Option<String>,
    authentication: Option<String>,
    timeout: Option<String>,
    skipped: bool,
    left_out: Vec<String>,
}

/// A user of an entry.
#[derive(Debug, Clone, Default)]
struct User {
    name: String,
    local: Vec<String>,
    password: Option<String>,
    password_file: Option<String>,
    ssl: Option<bool>,
    protocol: Option<String>,
    unchecked: bool,
    ca_file: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    keep: Option<bool>,
    left_out: Vec<String>,
}

struct Reader<'a> {
    tokens: Tokens,
    place: &'a Place,
    defaults: (Server, User),
    server: Option<Server>,
    user: Option<User>,
    /// Of `set idfile`.
    ids: Vec<std::path::PathBuf>,
    import: Import,
}

impl Reader<'_> {
    fn statement(&mut self, token: &Token) -> Result<(), ImportError> {
        match token.keyword() {
            "set" => self.global(),
            word @ ("poll" | "server" | "skip") => {
                self.end_entry();
                let name = self.tokens.text()?;
                let skipped = word == "skip";
                let server = self.defaults.0.clone();
                self.server = Some(Server { is_defaults: false, name, skipped, ..server });
                Ok(())
            }
            "defaults" => {
                self.end_entry();
                self.server = Some(Server { is_defaults: true, ..Server::default() });
                // Its user options need no user.
                self.user = Some(User::default());
                Ok(())
            }
            // Noise.
            "and" | "with" | "has" | "wants" | "options" => Ok(()),
            "user" | "username" => self.begin_user(),
            word => {
                let word = word.to_owned();
                if self.server.is_none() {
                    return Err(self.tokens.wrong(format!("{word:?} belongs to no server")));
                }
                self.option(&word)
            }
        }
    }

    /// `set [no] name [value]`
    fn global(&mut self) -> Result<(), ImportError> {
        self.end_entry();
        self.server = None;
        let mut name = self.tokens.text()?;
        if name == "no" {
            name = self.tokens.text()?;
        }
        match name.as_str() {
            "idfile" => {
                let file = self.tokens.text()?;
                self.ids = vec![self.place.path(&file)];
            }
            "daemon" | "postmaster" | "logfile" | "pidfile" | "properties" => {
                self.tokens.text()?;
            }
            _ => {}
        }
        Ok(())
    }

    /// `user "name" ["there" / "here"]`, and what was before is finished.
    fn begin_user(&mut self) -> Result<(), ImportError> {
        let name = self.tokens.text()?;
        let is_local = self.tokens.take(&["here"]);
        self.tokens.take(&["there"]);
        let is_defaults = self.server.as_ref().is_some_and(|server| server.is_defaults);
        if is_defaults && let Some(user) = &mut self.user {
            user.name = name;
            return Ok(());
        }
        self.end_user();
        let mut user = self.defaults.1.clone();
        if is_local {
            user.local = vec![name];
            user.name.clear();
        } else {
            user.name = name;
        }
        self.user = Some(user);
        Ok(())
    }

    fn option(&mut self, word: &str) -> Result<(), ImportError> {
        let (word, on) = match word {
            "no" => (self.tokens.text()?.to_lowercase(), false),
            _ => match word.strip_prefix("no") {
                Some(rest) if FLAGS.contains(&rest) => (rest.to_owned(), false),
                _ => (word.to_owned(), true),
            },
        };
        if let Some(server) = &mut self.server {
            let place = match word.as_str() {
                "via" => Some(&mut server.via),
                "proto" | "protocol" => Some(&mut server.protocol),
                "port" | "service" => Some(&mut server.port),
                "auth" | "authenticate" => Some(&mut server.authentication),
                "timeout" => Some(&mut server.timeout),
                _ => None,
            };
            if let Some(place) = place {
                *place = Some(self.tokens.text()?);
                return Ok(());
            }
            if SERVER_LISTS.contains(&word.as_str()) {
                while self.tokens.text_that_is_no_keyword(is_keyword).is_some() {}
                server.left_out.push(word);
                return Ok(());
            }
            if SERVER_VALUES.contains(&word.as_str()) {
                if on {
                    self.tokens.text()?;
                    // An ordinal before the name.
                    if word == "envelope" {
                        self.tokens.text_that_is_no_keyword(is_keyword);
                    }
                    server.left_out.push(word);
                }
                return Ok(());
            }
            if SERVER_FLAGS.contains(&word.as_str()) {
                return Ok(());
            }
        }
        self.user_option(&word, on)
    }

    fn user_option(&mut self, word: &str, on: bool) -> Result<(), ImportError> {
        let Some(user) = &mut self.user else {
            return Err(self.tokens.wrong(format!("{word:?} belongs to no user")));
        };
        let place = match word {
            "pass" | "password" => Some(&mut user.password),
            "passwordfile" => Some(&mut user.password_file),
            "sslcertfile" => Some(&mut user.ca_file),
            "sslcert" => Some(&mut user.certificate),
            "sslkey" => Some(&mut user.key),
            "sslproto" => Some(&mut user.protocol),
            _ => None,
        };
        if let Some(place) = place {
            *place = Some(self.tokens.text()?);
            return Ok(());
        }
        match word {
            "is" | "to" => {
                user.local.clear();
                while let Some(name) = self.tokens.text_that_is_no_keyword(is_keyword) {
                    user.local.push(name);
                }
                // `user "local" here is "remote" there`
                if self.tokens.take(&["there"]) {
                    user.name = user.local.pop().unwrap_or_default();
                }
                self.tokens.take(&["here"]);
            }
            "ssl" => user.ssl = Some(on),
            "keep" => user.keep = Some(on),
            "sslcertck" => user.unchecked = !on,
            "flush" | "limitflush" | "fetchall" if on => user.left_out.push(word.to_owned()),
            _ if FLAGS.contains(&word) => {}
            _ if USER_LISTS.contains(&word) => {
                while self.tokens.text_that_is_no_keyword(is_keyword).is_some() {}
                user.left_out.push(word.to_owned());
            }
            _ if USER_VALUES.contains(&word) => {
                self.tokens.text()?;
                user.left_out.push(word.to_owned());
            }
            _ if QUIET_VALUES.contains(&word) => drop(self.tokens.text()?),
            _ => return Err(self.tokens.wrong(format!("fetchmail has no option {word:?}"))),
        }
        Ok(())
    }

    fn end_entry(&mut self) {
        match &self.server {
            Some(server) if server.is_defaults => {
                self.defaults = (server.clone(), self.user.take().unwrap_or_default());
            }
            // The one user may be that of the defaults.
            Some(_) if self.user.is_none() && !self.defaults.1.name.is_empty() => {
                self.user = Some(self.defaults.1.clone());
                self.end_user();
            }
            _ => self.end_user(),
        }
        self.server = None;
    }

    fn end_user(&mut self) {
        let (Some(server), Some(user)) = (&self.server, self.user.take()) else { return };
        let here = format!("{} on {}", user.name, server.name);
        if user.name.is_empty() {
            self.import.left_out.push(format!("{}: a user without a name there", server.name));
        } else if user.local.len() > 1 || user.local.iter().any(|name| name == "*") {
            self.import.left_out.push(format!("{here}: mail of several users in one maildrop"));
        } else {
            match server.protocol.as_deref().map(str::to_lowercase).as_deref() {
                None | Some("auto" | "pop3" | "apop") => {
                    self.import.accounts.push(account(server, user, self.place));
                }
                Some(other) => {
                    self.import.left_out.push(format!("{here}: protocol {other}, not POP3"));
                }
            }
        }
    }
}

fn account(server: &Server, user: User, place: &Place) -> Found {
    let host = server.via.as_deref().unwrap_or(&server.name);
    let mut found = Found::new(&format!("{}@{}", user.name, server.name), host, &user.name);
    let is_pop3s = matches!(server.port.as_deref(), Some("pop3s" | "995"));
    found.port = match server.port.as_deref() {
        Some("pop3s") => Some(995),
        Some("pop3") => Some(110),
        Some(port) => port.parse().ok(),
        None => None,
    };
    if server.port.is_some() && found.port.is_none() {
        found.left_out.push("service: its port is not known".to_owned());
    }
    let protocol = user.protocol.as_deref().map(str::to_lowercase);
    found.encryption = match (user.ssl, protocol.as_deref()) {
        (Some(true), _) => Encryption::Tls,
        _ if is_pop3s => Encryption::Tls,
        (_, Some("")) => Encryption::None,
        (_, Some(_)) => Encryption::StartTls,
        // It takes what it gets.
        (_, None) => Encryption::StartTls,
    };
    if found.encryption == Encryption::StartTls && protocol.is_none() {
        found.left_out.push("no encryption where the server has none: it has to".to_owned());
    }
    found.secret = match (user.password, user.password_file) {
        (Some(password), _) => FoundSecret::Password(Secret::new(password)),
        (None, Some(file)) => {
            FoundSecret::Program(vec!["cat".into(), place.path(&file).display().to_string()])
        }
        (None, None) => FoundSecret::Missing,
    };
    let is_apop = server.protocol.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("apop"));
    found.mechanism = match server.authentication.as_deref() {
        _ if is_apop => Some("APOP"),
        Some("cram-md5") => Some("CRAM-MD5"),
        None | Some("any" | "password") => None,
        Some(other) => {
            found.left_out.push(format!("auth {other}"));
            None
        }
    };
    found.ca_file = user.ca_file.map(|file| place.path(&file));
    found.client_certificate = user.certificate.map(|certificate| {
        let key = user.key.as_deref().unwrap_or(&certificate);
        (place.path(&certificate), place.path(key))
    });
    found.timeout_s = server.timeout.as_deref().and_then(|seconds| seconds.parse().ok());
    found.timeout_s = found.timeout_s.filter(|seconds| *seconds > 0);
    found.leave = if user.keep == Some(true) { ALWAYS } else { NEVER }.to_owned();
    if user.unchecked {
        found.left_out.push("no sslcertck: certificates are always checked".to_owned());
    }
    if server.skipped {
        found.left_out.push("skip: it is collected like the others".to_owned());
    }
    found.left_out.extend(server.left_out.iter().chain(&user.left_out).cloned());
    found
}

/// `user@host SP id`: the user may hold spaces and at signs, the host is the server's name in
/// whatever case.
pub(super) fn seen(state: &[u8], account: &Found) -> Vec<Seen> {
    let (server, user) = &account.known_as;
    let prefix = format!("{user}@{server} ");
    let known = lines(state).filter_map(|line| {
        let line = line.trim_ascii_start();
        let (who, id) = line.split_at_checked(prefix.len())?;
        let id = id.trim_ascii_start().split(|octet| b" \t".contains(octet)).next()?;
        let ours = who.eq_ignore_ascii_case(prefix.as_bytes());
        ours.then(|| Seen { unique_id: id.into(), time: None, delete: account.deletes() })
    });
    known.collect()
}

/// Whether a list of names ends before this word.
fn is_keyword(word: &str) -> bool {
    let rest = word.strip_prefix("no").unwrap_or(word);
    WORDS.contains(&word)
        || FLAGS.contains(&rest)
        || [&SERVER_LISTS[..], &SERVER_VALUES, &SERVER_FLAGS, &USER_LISTS, &USER_VALUES]
            .iter()
            .chain([&&QUIET_VALUES[..]])
            .any(|words| words.contains(&word))
}

const WORDS: [&str; 37] = [
    "set",
    "poll",
    "server",
    "skip",
    "defaults",
    "user",
    "username",
    "and",
    "with",
    "has",
    "wants",
    "options",
    "via",
    "proto",
    "protocol",
    "port",
    "service",
    "auth",
    "authenticate",
    "timeout",
    "pass",
    "password",
    "passwordfile",
    "sslcertfile",
    "sslcert",
    "sslkey",
    "sslproto",
    "is",
    "to",
    "here",
    "there",
    "no",
    "ssl",
    "keep",
    "uidl",
    "flush",
    "sslcertck",
];
/// Options of a user without a value; those that change no mail on the server are not named.
const FLAGS: [&str; 15] = [
    "ssl",
    "keep",
    "sslcertck",
    "flush",
    "limitflush",
    "fetchall",
    "rewrite",
    "stripcr",
    "forcecr",
    "pass8bits",
    "dropstatus",
    "dropdelivered",
    "mimedecode",
    "idle",
    "fastuidl",
];
const SERVER_FLAGS: [&str; 4] = ["dns", "checkalias", "uidl", "tracepolls"];
const SERVER_LISTS: [&str; 3] = ["local", "localdomains", "aka"];
const SERVER_VALUES: [&str; 11] = [
    "envelope",
    "qvirtual",
    "interface",
    "monitor",
    "plugin",
    "plugout",
    "interval",
    "principal",
    "esmtpname",
    "esmtppassword",
    "bad-header",
];
const USER_LISTS: [&str; 4] = ["folder", "smtphost", "fetchdomains", "antispam"];
const USER_VALUES: [&str; 10] = [
    "sslcertpath",
    "sslfingerprint",
    "sslcommonname",
    "smtpaddress",
    "smtpname",
    "mda",
    "bsmtp",
    "preconnect",
    "postconnect",
    "limit",
];
/// Options of a user with a value that are of no use here.
const QUIET_VALUES: [&str; 6] =
    ["warnings", "batchlimit", "fetchlimit", "fetchsizelimit", "expunge", "properties"];

#[cfg(test)]
mod tests {
    use super::super::tests::{place, shown};
    use super::*;

    const RC: &str = r#"
set daemon 300  # five minutes
set no bouncemail
defaults proto POP3 timeout 30 keep
poll pop.example.org via pop3.example.org, with service 1995:
    user 'fred smith' there with password "a\x20b" is fred here options ssl sslcertck;
    user jane, password "no;keep" sslproto 'TLS1.2+' nokeep
        mda "/usr/bin/procmail -d %T" smtphost localhost, other and limit 5000
skip mail.example.net proto apop user "local" here is remote there password x sslproto ''
poll imap.example.net proto imap user x password y
poll many.example.net localdomains example.net example.org envelope 2 Delivered-To
    user m password p to a b c here
"#;

    #[test]
    fn accounts_are_read_with_their_servers_and_defaults() {
        let import = accounts(RC, &place()).unwrap();
        let [fred, jane, remote] = &import.accounts[..] else { panic!("{import:?}") };
        assert_eq!(
            shown(fred),
            "[[account]]\nname = \"NAME\"\nserver = \"pop3.example.org\"\nport = 1995\n\
             encryption = \"tls\"\nuser = \"fred smith\"\npassword_file = \"PW\"\n\
             timeout_s = 30\nleave = \"always\"\nmaildir = \"?\"\n"
        );
        let password = |found: &Found| match &found.secret {
            FoundSecret::Password(password) => password.expose().clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((password(fred), password(jane)), ("a b".to_owned(), "no;keep".to_owned()));
        assert_eq!((jane.encryption, &*jane.leave), (Encryption::StartTls, "never"));
        assert_eq!(jane.left_out, ["mda", "smtphost", "limit"]);
        assert_eq!((&*remote.user, remote.mechanism), ("remote", Some("APOP")));
        assert_eq!((remote.encryption, remote.left_out.len()), (Encryption::None, 1));
        assert_eq!(import.left_out.len(), 2, "{import:?}");
        assert_eq!(fred.seen_files[1], std::path::Path::new("/mail/fred/.fetchids"));
    }

    #[test]
    fn a_user_of_the_defaults_and_an_id_file_are_known() {
        let text = "set idfile ~/ids defaults user fred password p\npoll a ssl\npoll b proto pop3";
        assert_eq!(accounts(text, &place()).unwrap_err().message, "\"ssl\" belongs to no user");
        let text = "set idfile ~/ids defaults user fred password p ssl\npoll a\npoll b proto pop3";
        let import = accounts(text, &place()).unwrap();
        let names: Vec<_> = import.accounts.iter().map(|found| &*found.name).collect();
        assert_eq!(names, ["fred@a", "fred@b"]);
        assert_eq!(import.accounts[0].encryption, Encryption::Tls);
        assert_eq!(import.accounts[0].seen_files, [place().at_home("ids")]);
    }

    #[test]
    fn what_is_no_configuration_is_refused_at_its_line() {
        for (text, line) in [
            ("ssl", 1),
            ("poll", 1),
            ("poll a\nuser b\nkep", 3),
            ("poll a user b password \"c\n\n", 1),
            ("poll a keep", 1),
        ] {
            assert_eq!(accounts(text, &place()).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn ids_are_the_users_at_the_server() {
        let found = Found::new("n", "POP.example.org", "fred smith@example.org");
        let state = b"fred smith@example.org@pop.example.org a@b\nfred@pop.example.org c\n\
                      fred smith@example.org@pop.example.com d\nfred smith@example.org@pop\n\
                      Fred Smith@example.org@pop.example.org  e \n";
        let ids: Vec<_> = seen(state, &found).into_iter().map(|seen| seen.unique_id).collect();
        assert_eq!(ids, [&b"a@b"[..], b"e"]);
    }
}

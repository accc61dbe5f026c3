//! Accounts from TOML.
//!
//! In: the text of a file. Out: [`Accounts`], or every [`Problem`] with its place in the text.
//! Keys are stable: files written for one version are read by the next.

mod leave;
mod sign_in;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use restante_client::{Encryption, Endpoint};
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::Account;

/// What a file of accounts says.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Where the ledgers are kept, if the file says so.
    pub state: Option<PathBuf>,
    /// The accounts, in the file's order.
    pub accounts: Vec<Account>,
}

/// What paths in the file are relative to.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// The folder the file is in.
    pub folder: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Octets of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
}

impl Accounts {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Everything that is wrong with it; never empty.
    pub fn parse(text: &str, defaults: &Defaults) -> Result<Self, Vec<Problem>> {
        let raw: RawFile = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            vec![Problem { span, message: error.message().to_owned() }]
        })?;
        let mut reader = Reader { defaults, problems: Vec::new() };
        let accounts: Vec<_> =
            raw.account.iter().map(|account| reader.account(account.as_ref())).collect();
        reader.refuse_repeated(&raw.account);
        let state = raw.state.map(|state| reader.path(&state));
        if reader.problems.is_empty() {
            Ok(Self { state, accounts: accounts.into_iter().flatten().collect() })
        } else {
            reader.problems.sort_by_key(|problem| problem.span.start);
            Err(reader.problems)
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    state: Option<Spanned<PathBuf>>,
    #[serde(default)]
    account: Vec<Spanned<RawAccount>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    name: Spanned<String>,
    server: Spanned<String>,
    port: Option<Spanned<u16>>,
    encryption: Option<Spanned<String>>,
    user: Spanned<String>,
    password_file: Option<Spanned<PathBuf>>,
    password_command: Option<Spanned<Value>>,
    keyring: Option<Spanned<String>>,
    token_command: Option<Spanned<Value>>,
    mechanism: Option<Spanned<String>>,
    client_certificate: Option<Spanned<PathBuf>>,
    client_key: Option<Spanned<PathBuf>>,
    pin: Option<Spanned<Value>>,
    proxy: Option<Spanned<String>>,
    ca_file: Option<Spanned<PathBuf>>,
    timeout_s: Option<Spanned<u64>>,
    octets_per_s_min: Option<u32>,
    leave: Option<Spanned<Value>>,
    quota: Option<Spanned<Value>>,
    largest: Option<Spanned<Value>>,
    maildir: Spanned<PathBuf>,
}

struct Reader<'a> {
    defaults: &'a Defaults,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// `None` when there is a problem with it.
    fn account(&mut self, raw: &RawAccount) -> Option<Account> {
        let encryption = self.encryption(raw);
        let port = raw.port.as_ref().map(|port| *port.as_ref());
        if let Some(zero) = raw.port.as_ref().filter(|port| *port.as_ref() == 0) {
            self.problem(zero, "port 0 cannot be connected to");
        }
        for (text, what) in [(&raw.name, "name"), (&raw.server, "server"), (&raw.user, "user")] {
            if text.as_ref().is_empty() {
                self.problem(text, format!("{what} is empty"));
            } else if text.as_ref().chars().any(char::is_control) {
                self.problem(text, format!("{what} holds a control character"));
            }
        }
        let sign_in = self.sign_in(raw);
        let mechanism = self.mechanism(raw, sign_in.as_ref());
        let leave = self.leave(raw);
        let largest_octets = self.octets(raw.largest.as_ref());
        let mut endpoint = Endpoint::new(raw.server.as_ref().clone(), encryption);
        endpoint.port = port.unwrap_or(endpoint.port);
        endpoint.ca_file = raw.ca_file.as_ref().map(|path| self.path(path));
        endpoint.pins = self.pins(raw.pin.as_ref());
        endpoint.client_certificate = self.client_certificate(raw);
        endpoint.proxy = self.proxy(raw.proxy.as_ref());
        endpoint.timeout = self.timeout(raw.timeout_s.as_ref());
        endpoint.octets_per_s_min = raw.octets_per_s_min.unwrap_or(endpoint.octets_per_s_min);
        self.refuse_without_tls(raw, encryption);
        Some(Account {
            name: raw.name.as_ref().clone(),
            endpoint,
            user: raw.user.as_ref().clone(),
            sign_in: sign_in?,
            mechanism,
            leave: leave?,
            largest_octets: largest_octets?,
            maildir: self.path(&raw.maildir),
        })
    }

    fn encryption(&mut self, raw: &RawAccount) -> Encryption {
        let Some(word) = &raw.encryption else { return Encryption::Tls };
        match word.as_ref().as_str() {
            "tls" => Encryption::Tls,
            "starttls" => Encryption::StartTls,
            "none" => Encryption::None,
            _ => {
                self.problem(word, "encryption is \"tls\", \"starttls\" or \"none\"");
                Encryption::Tls
            }
        }
    }

    fn timeout(&mut self, timeout_s: Option<&Spanned<u64>>) -> Duration {
        let Some(timeout_s) = timeout_s else { return Duration::from_secs(TIMEOUT_S_DEFAULT) };
        if !(1..=TIMEOUT_S_MAX).contains(timeout_s.as_ref()) {
            self.problem(timeout_s, format!("timeout_s is 1 to {TIMEOUT_S_MAX}"));
        }
        Duration::from_secs(*timeout_s.as_ref())
    }

    fn path(&self, path: &Spanned<PathBuf>) -> PathBuf {
        let path: &Path = path.as_ref();
        match (path.strip_prefix("~"), &self.defaults.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.defaults.folder.join(path),
        }
    }

    /// Two accounts with one name could not be told apart in a report, and two with one identity
    /// would share a ledger.
    fn refuse_repeated(&mut self, accounts: &[Spanned<RawAccount>]) {
        let (mut names, mut identities) = (HashMap::new(), HashMap::new());
        for raw in accounts.iter().map(Spanned::as_ref) {
            let name = raw.name.as_ref();
            if names.insert(name.clone(), ()).is_some() {
                self.problem(&raw.name, format!("there is an account {name:?} already"));
            }
            let port = raw.port.as_ref().map(|port| *port.as_ref());
            let tls = raw.encryption.as_ref().is_none_or(|word| word.as_ref() == "tls");
            let encryption = if tls { Encryption::Tls } else { Encryption::None };
            let port = port.unwrap_or_else(|| encryption.default_port());
            let server = raw.server.as_ref().to_ascii_lowercase();
            let identity = (server, port, raw.user.as_ref().clone());
            if let Some(first) = identities.insert(identity, name) {
                let message = format!("account {first:?} has the same server, port and user");
                self.problem(&raw.name, message);
            }
        }
    }

    fn problem<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.problems.push(Problem { span: at.span(), message: message.into() });
    }
}

const TIMEOUT_S_DEFAULT: u64 = 60;
/// A day; longer than any server keeps a silent connection.
const TIMEOUT_S_MAX: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Leave, SecretSource, SignIn};

    const WHOLE: &str = r#"
state = "state"
[[account]]
name = "work"
server = "pop.example.org"
port = 1995
encryption = "starttls"
user = "fred@example.org"
password_file = "secret"
ca_file = "/etc/ca.pem"
timeout_s = 5
leave = "14 days"
maildir = "~/Mail/work"
"#;

    const EIGHTY_OF_2_GB: Leave = Leave::UnderQuota { percent: 80, quota_octets: 2_000_000_000 };

    fn parse(text: &str) -> Result<Accounts, Vec<Problem>> {
        let defaults = Defaults { folder: "/etc/restante".into(), home: Some("/mail/fred".into()) };
        Accounts::parse(text, &defaults)
    }

    #[test]
    fn a_whole_account_is_read() {
        let accounts = parse(WHOLE).unwrap();
        assert_eq!(accounts.state, Some("/etc/restante/state".into()));
        let account = &accounts.accounts[0];
        assert_eq!(account.identity(), ("pop.example.org".to_owned(), 1995, "fred@example.org"));
        assert_eq!(account.endpoint.encryption, Encryption::StartTls);
        assert_eq!(account.endpoint.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(account.timeout().as_secs(), 5);
        let secret = SecretSource::File("/etc/restante/secret".into());
        assert_eq!(account.sign_in, SignIn::Password(secret));
        assert_eq!(
            (account.leave, &*account.maildir),
            (Leave::Days(14), Path::new("/mail/fred/Mail/work"))
        );
    }

    #[test]
    fn defaults_are_the_careful_ones() {
        let text = r#"
            [[account]]
            name = "n"
            server = "s"
            user = "u"
            password_command = ["pass", "show", "n"]
            maildir = "m"
        "#;
        let account = &parse(text).unwrap().accounts[0];
        assert_eq!((account.endpoint.port, account.endpoint.encryption), (995, Encryption::Tls));
        assert_eq!((account.timeout().as_secs(), account.leave), (60, Leave::Always));
        let words = ["pass", "show", "n"].map(str::to_owned).to_vec();
        assert_eq!(account.sign_in, SignIn::Password(SecretSource::Program(words)));
        assert_eq!(account.mechanism, None);
        assert!(parse("").unwrap().accounts.is_empty());
    }

    #[test]
    fn leave_speaks_the_words_people_know() {
        for (words, leave) in [
            ("\"never\"", Some(Leave::Never)),
            ("\"always\"", Some(Leave::Always)),
            ("\"14 days\"", Some(Leave::Days(14))),
            ("\"1 day\"", Some(Leave::Days(1))),
            ("7", Some(Leave::Days(7))),
            ("\"7\"", Some(Leave::Days(7))),
            ("\"until deleted here\"", Some(Leave::UntilDeletedHere)),
            ("\"newest 500\"", Some(Leave::Newest(500))),
            ("\"newest 0\"", None),
            ("\"while under 80% of quota\"\nquota = \"2 GB\"", Some(EIGHTY_OF_2_GB)),
            ("\"while under 80% of quota\"", None),
            ("\"while under 0% of quota\"\nquota = \"2 GB\"", None),
            ("\"while under 101% of quota\"\nquota = \"2 GB\"", None),
            ("\"while under 80% of quota\"\nquota = \"2 boxes\"", None),
            ("-1", None),
            ("\"2 weeks\"", None),
            ("true", None),
        ] {
            let parsed = parse(&WHOLE.replace("\"14 days\"", words));
            assert_eq!(parsed.ok().map(|accounts| accounts.accounts[0].leave), leave, "{words}");
        }
    }

    #[test]
    fn sizes_are_written_as_people_write_them() {
        for (words, octets) in [
            ("\"25 MB\"", Some(25_000_000)),
            ("\"25MB\"", Some(25_000_000)),
            ("\"1 KiB\"", Some(1024)),
            ("\"3 octets\"", Some(3)),
            ("4096", Some(4096)),
            ("0", None),
            ("\"MB\"", None),
            ("\"99999999999 TB\"", None),
            ("-1", None),
        ] {
            let text = WHOLE.replace("timeout_s = 5", &format!("largest = {words}"));
            let parsed = parse(&text).ok().and_then(|all| all.accounts[0].largest_octets);
            assert_eq!(parsed, octets, "{words}");
        }
    }

    #[test]
    fn every_problem_is_found_at_its_place() {
        for (from, to, at, message) in [
            ("port = 1995", "port = 99999", "99999", "invalid"),
            ("port = 1995", "prot = 1995", "prot", "unknown field"),
            ("\"starttls\"", "\"ssl\"", "\"ssl\"", "encryption is"),
            ("timeout_s = 5", "timeout_s = 0", "0", "timeout_s is"),
            ("\"pop.example.org\"", "\"\"", "\"\"", "server is empty"),
            ("password_file = \"secret\"", "", "\"work\"", "nothing to log in with"),
            ("\"secret\"", "\"secret\"\nkeyring = \"x\"", "\"x\"", "only one of"),
            ("password_file = \"secret\"", "password_command = []", "[]", "password_command is"),
        ] {
            let text = WHOLE.replace(from, to);
            let problems = parse(&text).unwrap_err();
            let problem = &problems[0];
            let place = text.get(problem.span.clone());
            assert_eq!((problems.len(), place), (1, Some(at)), "{problem:?}");
            assert!(problem.message.contains(message), "{problem:?}");
        }
        let account = WHOLE.split_once("[[account]]").unwrap().1;
        let problems = parse(&format!("{WHOLE}\n[[account]]{account}")).unwrap_err();
        assert_eq!(problems.len(), 2);
    }
}

//! Users in an LDAP directory (RFC 4511, RFC 4513).
//!
//! The directory keeps its passwords: it is asked to let the user in (a simple bind). Either the
//! user's entry is searched for first, or its name follows from the user's. In: names and
//! passwords. Out: whether they fit. Fails when the directory cannot be reached or is slow, and
//! when it says something that answers no question. An empty password is refused before anybody
//! is asked: to a directory that would be a guest, and welcome (RFC 4513 section 5.1.2).

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use ldap3::{LdapConn, LdapConnSettings, LdapError, Scope, SearchEntry, dn_escape, ldap_escape};
use restante_auth::{Credential, Overview, Record, UserDatabase, Verdict};
use restante_maildrop::{Account, Owner};
use restante_proto::Secret;
use rustls::ClientConfig;

use crate::Template;
use crate::name::{Name, is_canonical};
use crate::row;

/// Where the directory is.
#[derive(Debug)]
pub struct LdapSettings {
    /// `ldaps://host`, `ldap://host` or `ldapi://%2Fpath%2Fof%2Fsocket`.
    pub url: String,
    /// How to speak TLS, where it is spoken.
    pub tls: Option<ClientConfig>,
    /// Whether `ldap://` goes over to TLS before anything is said.
    pub start_tls: bool,
    /// How a user becomes an entry.
    pub lookup: Lookup,
}

/// How a user's entry is found.
#[derive(Debug)]
pub enum Lookup {
    /// Its name is this, filled with the user's.
    Direct(Template),
    /// It is searched for.
    Search {
        /// As whom to search, with the password; as a guest without it.
        bind: Option<(String, Secret<String>)>,
        /// Below which entry.
        base: String,
        /// What it fulfils.
        filter: Template,
        /// Which attribute is the user's name.
        name_attribute: String,
        /// Which attribute is the maildrop's path, if one is.
        maildir_attribute: Option<String>,
    },
}

/// Users in an LDAP directory.
#[derive(Debug)]
pub struct Ldap {
    url: String,
    tls: Option<Arc<ClientConfig>>,
    start_tls: bool,
    lookup: Lookup,
}

/// What a search found.
struct Entry {
    dn: String,
    account: Account,
}

impl Ldap {
    /// Those of a directory. Connects when a user is looked up.
    #[must_use]
    pub fn new(settings: LdapSettings) -> Self {
        let LdapSettings { url, tls, start_tls, lookup } = settings;
        Self { url, tls: tls.map(Arc::new), start_tls, lookup }
    }

    fn connect(&self) -> io::Result<LdapConn> {
        let mut settings =
            LdapConnSettings::new().set_conn_timeout(STEP_TIME).set_starttls(self.start_tls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        LdapConn::with_settings(settings, &self.url).map_err(explain)
    }

    /// The user's entry, if there is one.
    fn search(&self, connection: &mut LdapConn, user: &Owner) -> io::Result<Option<Entry>> {
        let Lookup::Search { bind, base, filter, name_attribute, maildir_attribute } = &self.lookup
        else {
            return Ok(None);
        };
        if let Some((dn, password)) = bind {
            let bound = connection.with_timeout(STEP_TIME).simple_bind(dn, password.expose());
            bound.and_then(ldap3::LdapResult::success).map_err(explain)?;
        }
        let name = Name::new(user.as_str());
        let Some(filter) = filter.fill(name, |part| ldap_escape(part)) else { return Ok(None) };
        let attributes: Vec<_> = [Some(name_attribute), maildir_attribute.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let found =
            connection.with_timeout(STEP_TIME).search(base, Scope::Subtree, &filter, attributes);
        let (mut entries, _) = found.and_then(ldap3::SearchResult::success).map_err(explain)?;
        // What is elsewhere is said beside what is here.
        entries.retain(|entry| !entry.is_ref() && !entry.is_intermediate());
        let Some(entry) = entries.pop() else { return Ok(None) };
        if !entries.is_empty() {
            return Err(invalid("several entries for one name"));
        }
        let entry = SearchEntry::construct(entry);
        let value = |attribute: &str| {
            let mut attributes = entry.attrs.iter();
            let found = attributes.find(|(name, _)| name.eq_ignore_ascii_case(attribute));
            found.and_then(|(_, values)| values.first().cloned())
        };
        let mut columns = vec![("user".to_owned(), value(name_attribute))];
        if let Some(attribute) = maildir_attribute {
            columns.push(("maildir".to_owned(), value(attribute)));
        }
        Ok(Some(Entry { account: row::record(columns)?.account, dn: entry.dn }))
    }
}

impl UserDatabase for Ldap {
    fn name(&self) -> String {
        self.url.clone()
    }

    fn find(&self, user: &Owner) -> io::Result<Option<Record>> {
        if matches!(self.lookup, Lookup::Direct(_)) {
            // Only the user can ask about an entry that is not searched for.
            return Ok(None);
        }
        let found = self.search(&mut self.connect()?, user)?;
        let credential = Credential::Inside;
        Ok(found.map(|entry| Record { account: entry.account, credential }))
    }

    fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Verdict> {
        let password = match std::str::from_utf8(password.expose()) {
            Ok(password) if !password.is_empty() => password,
            _ => return Ok(Verdict::Unknown),
        };
        let mut connection = self.connect()?;
        let found = match &self.lookup {
            Lookup::Direct(template) => {
                let dn = template.fill(Name::new(user.as_str()), escaped);
                dn.filter(|_| is_canonical(user.as_str()))
                    .map(|dn| Entry { dn, account: user.clone().into() })
            }
            Lookup::Search { .. } => self.search(&mut connection, user)?,
        };
        // The directory is asked about nobody, too.
        let nobody = match &self.lookup {
            Lookup::Search { base, .. } => base.as_str(),
            Lookup::Direct(_) => "cn=nobody",
        };
        let dn = found.as_ref().map_or(nobody, |entry| &entry.dn);
        let answer =
            connection.with_timeout(STEP_TIME).simple_bind(dn, password).map_err(explain)?;
        let knows = matches!(self.lookup, Lookup::Search { .. });
        match (answer.rc, found) {
            (SUCCESS, Some(entry)) => Ok(Verdict::Right(entry.account)),
            (_, None) => Ok(Verdict::Unknown),
            (INVALID_CREDENTIALS, Some(_)) if knows => Ok(Verdict::Wrong),
            (INVALID_CREDENTIALS | NO_SUCH_OBJECT | INVALID_DN, Some(_)) => Ok(Verdict::Unknown),
            _ => Err(explain(LdapError::from(answer))),
        }
    }

    fn overview(&self) -> io::Result<Overview> {
        Ok(Overview::of_verifier())
    }
}

fn escaped(part: &str) -> Cow<'_, str> {
    dn_escape(part)
}

fn explain(error: LdapError) -> io::Error {
    let kind = match error {
        LdapError::Timeout { .. } => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

const SUCCESS: u32 = 0;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN: u32 = 34;
const INVALID_CREDENTIALS: u32 = 49;
/// Connecting, the search and two binds share the time for an answer ([`crate::ANSWER_TIME`]).
const STEP_TIME: std::time::Duration = std::time::Duration::from_millis(2500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_names_are_escaped_in_filters_and_names_of_entries() {
        let filter = Template::parse("(uid={user})").unwrap();
        let filled = filter.fill(Name::new("*)(uid=*\\"), |part| ldap_escape(part));
        assert_eq!(filled.as_deref(), Some("(uid=\\2a\\29\\28uid=\\2a\\5c)"));
        let dn = Template::parse("uid={user},dc=org").unwrap();
        let filled = dn.fill(Name::new("a,dc=x+b=\"c\" "), escaped).unwrap();
        assert!(!filled.contains("a,dc") && !filled.contains('"') && filled.ends_with(",dc=org"));
    }

    #[test]
    fn an_empty_password_is_refused_before_the_directory_is_asked() {
        let lookup = Lookup::Direct(Template::parse("uid={user}").unwrap());
        // Nobody listens there.
        let url = "ldap://127.0.0.1:1".to_owned();
        let ldap = Ldap::new(LdapSettings { url, tls: None, start_tls: false, lookup });
        let fred = Owner::new("fred").unwrap();
        let with = |password: &[u8]| ldap.log_in(&fred, &Secret::new(password.to_vec()));
        assert!(matches!(with(b""), Ok(Verdict::Unknown)));
        assert!(matches!(with(b"\xff"), Ok(Verdict::Unknown)));
        assert!(with(b"secret").is_err());
    }
}

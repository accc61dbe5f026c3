//! What a passwd-file's line says behind the password.
//!
//! In: `[uid [":" gid [":" gecos [":" home [":" shell [":" extra]]]]]]`, as in Dovecot's
//! passwd-file; extra is `*( name [ "=" value ] SP )`. Out: where the maildrop lies, whether, from
//! where and how often the user may log in, how long mail is kept, and what had to be ignored.
//! Fields of other programs are left alone.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use restante_maildrop::Terms;

/// What is known of a user beside name and password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Where the maildrop lies, if it is said.
    pub(crate) place: Result<Option<PathBuf>, String>,
    pub(crate) may_log_in: bool,
    pub(crate) terms: Terms,
    /// What could not be done as it is said.
    pub(crate) problems: Vec<String>,
}

impl Fields {
    /// Reads what stands behind the password and its colon.
    pub(crate) fn parse(rest: &str) -> Self {
        let mut parts = rest.splitn(6, ':');
        let home = parts.nth(3).unwrap_or_default();
        let extra = parts.nth(1).unwrap_or_default();
        let mut fields = Self {
            place: Ok(None),
            may_log_in: true,
            terms: Terms::default(),
            problems: Vec::new(),
        };
        for field in extra.split_ascii_whitespace() {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            fields.field(name, value, home);
        }
        fields
    }

    fn field(&mut self, name: &str, value: &str, home: &str) {
        match name {
            "userdb_mail" => self.place = place(value, home).map(Some),
            "nologin" => self.may_log_in = false,
            "allow_nets" => {
                let (networks, bad) = networks(value);
                if !bad.is_empty() {
                    let bad = bad.join(", ");
                    self.problems.push(format!("nobody comes from {bad}, which is no network"));
                }
                self.terms.networks = Some(networks);
            }
            "restante_login_delay" => match login_delay(value) {
                Some(delay) => self.terms.login_delay = Some(delay),
                None => self.problems.push(format!("{name}={value} is no number of seconds")),
            },
            "restante_expire" => match expire_days(value) {
                Some(days) => self.terms.expire_days = Some(days),
                None => self.problems.push(format!("{name}={value} is no number of days")),
            },
            "proxy" | "proxy_maybe" => {
                let problem = "proxy is not known here, the mail is served from this machine";
                self.problems.push(problem.to_owned());
            }
            _ => {}
        }
    }
}

/// Networks with commas between them, and what is none of them. Whoever reads a list has to take
/// it for the whole of it: a network left out lets nobody in, a list left out lets everybody in.
#[must_use]
pub fn networks(list: &str) -> (Vec<IpNet>, Vec<&str>) {
    let (mut networks, mut bad) = (Vec::new(), Vec::new());
    for text in list.split(',').filter(|text| !text.is_empty()) {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => networks.push(network),
            Err(_) => bad.push(text),
        }
    }
    (networks, bad)
}

/// Seconds from a user's login to the next one, up to a year; 0 is none.
#[must_use]
pub fn login_delay(seconds: &str) -> Option<Duration> {
    let seconds = seconds.parse().ok().filter(|seconds| *seconds <= LOGIN_DELAY_S_MAX);
    seconds.map(Duration::from_secs)
}

/// Days that a user's mail is kept, up to a hundred years; 0 is for ever.
#[must_use]
pub fn expire_days(days: &str) -> Option<usize> {
    days.parse().ok().filter(|days| *days <= EXPIRE_DAYS_MAX)
}

/// `place = "maildir:" ( "/" path / "~" [ "/" path ] ) *( ":" option )`
fn place(value: &str, home: &str) -> Result<PathBuf, String> {
    let wrong = |why: &str| Err(format!("userdb_mail={value}: {why}"));
    let Some(path) = value.strip_prefix("maildir:") else {
        return wrong("only maildir: can be served");
    };
    let (path, options) = path.split_once(':').unwrap_or((path, ""));
    if options.split(':').any(|option| option.starts_with("INBOX=")) {
        return wrong("INBOX= is not known here");
    }
    let path = match path.strip_prefix('~') {
        Some(_) if !home.starts_with('/') => return wrong("the line has no home folder"),
        Some("") => PathBuf::from(home),
        Some(below) => match below.strip_prefix('/') {
            Some(below) => PathBuf::from(home).join(below),
            None => return wrong("~ must be followed by a slash"),
        },
        None => PathBuf::from(path),
    };
    if path.to_string_lossy().contains('%') {
        // A variable, whose meaning is not known; a file name with % in it is not worth it.
        return wrong("variables (%) are not filled in");
    }
    if path.is_absolute() { Ok(path) } else { wrong("the path must begin with a slash") }
}

// Both as for all users.
const LOGIN_DELAY_S_MAX: u64 = 365 * 24 * 60 * 60;
const EXPIRE_DAYS_MAX: usize = 36_500;

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(extra: &str) -> Fields {
        Fields::parse(&format!("1000:1000:Fred:/srv/fred:/bin/sh:{extra}"))
    }

    #[test]
    fn a_maildir_lies_where_userdb_mail_says() {
        for (value, path) in [
            ("maildir:/var/vmail/fred", "/var/vmail/fred"),
            ("maildir:~/Maildir", "/srv/fred/Maildir"),
            ("maildir:~", "/srv/fred"),
            ("maildir:~/Maildir:LAYOUT=fs:INDEX=/i", "/srv/fred/Maildir"),
        ] {
            let fields = extra(&format!("userdb_quota=1 userdb_mail={value} x"));
            assert_eq!(fields.place, Ok(Some(path.into())), "{value}");
            assert!(fields.may_log_in && fields.problems.is_empty());
        }
        for value in
            ["mbox:~/mail", "maildir:%h/Maildir", "maildir:Maildir", "maildir:~bob/x", "/x", ""]
        {
            assert!(extra(&format!("userdb_mail={value}")).place.is_err(), "{value}");
        }
        assert!(extra("userdb_mail=maildir:/a:INBOX=/b").place.is_err());
        assert!(Fields::parse(":::::userdb_mail=maildir:~/x").place.is_err(), "no home");
    }

    #[test]
    fn nobody_gets_in_through_what_is_not_understood() {
        let terms = extra("allow_nets=192.0.2.0/24,2001:db8::1,local").terms;
        assert_eq!(terms.networks.as_ref().map(Vec::len), Some(2));
        assert_eq!(extra("allow_nets=local").terms.networks, Some(Vec::new()));
        assert_eq!(extra("allow_nets=local").problems.len(), 1);
        for nologin in ["nologin", "nologin=y", "x nologin=This is closed"] {
            assert!(!extra(nologin).may_log_in, "{nologin}");
        }
        assert_eq!(extra("proxy host=10.0.0.1").problems.len(), 1);
    }

    #[test]
    fn s41_s42_a_user_can_have_a_delay_and_days_of_his_own() {
        let fields = extra("restante_login_delay=300 restante_expire=0");
        let login_delay = Some(Duration::from_secs(300));
        assert_eq!((fields.terms.login_delay, fields.terms.expire_days), (login_delay, Some(0)));
        for wrong in ["=soon", "=-1", "=", "", "=9999999999"] {
            let fields = extra(&format!("restante_login_delay{wrong} restante_expire{wrong}"));
            assert_eq!((fields.terms, fields.problems.len()), (Terms::default(), 2), "{wrong}");
        }
    }

    #[test]
    fn short_lines_and_other_programs_fields_say_nothing() {
        let nothing = extra("");
        for rest in ["", "1:2", "::::", ":::::", "1:2:Fred:/h:/bin/sh:userdb_uid=7 restricted"] {
            assert_eq!(Fields::parse(rest), nothing, "{rest}");
        }
    }
}

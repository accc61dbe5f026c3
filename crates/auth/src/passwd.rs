//! The users as a value: what a passwd-file says.
//!
//! In: the bytes of a file in Dovecot's syntax. Out: users in file order, each with a stored
//! password or the reason why it has none, and the lines that had to be skipped. Nothing fails as
//! a whole: one bad line must not keep everybody else out. Editing works on the bytes, line by
//! line, so that comments, order and the fields of other programs stay as they are.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;

use restante_maildrop::{BadOwner, OwnTerms, Owner, Terms};
use restante_proto::sasl::prepare;
use restante_proto::sasl::scram::ScramHash;

use crate::database::{Able, Overview, ScramOverview};
use crate::fields::Fields;
use crate::scram::Material;
use crate::{BadHash, Hash};

/// What a passwd-file says.
#[derive(Debug, Default)]
pub struct Passwd {
    users: Vec<User>,
    /// Prepared names to places in `users`.
    places: HashMap<Owner, usize>,
    faults: Vec<Fault>,
    overview: Overview,
}

/// One user.
#[derive(Debug, Clone)]
pub struct User {
    /// The name, which is the maildrop's, and its place where the line has one.
    pub owner: Owner,
    /// The stored password; without a usable one the user gets mail but cannot log in.
    pub password: Result<Arc<Hash>, BadHash>,
    /// Whether the line lets the user log in at all.
    pub may_log_in: bool,
    /// What holds for this user alone.
    pub terms: Terms,
    /// Why the place of the maildrop cannot be made out from the line: mail is neither delivered
    /// nor served then.
    pub no_place: Option<String>,
}

/// A line that says something else than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong; never holds any of the line's second field.
    pub problem: String,
}

impl Passwd {
    /// Reads the file's contents.
    ///
    /// line = name ":" password [":" uid ":" gid ":" gecos ":" home ":" shell ":" extra]
    ///
    /// Lines that are empty or begin with `#` or `:` are comments, as in Dovecot. Of two lines
    /// with one name the first counts.
    #[must_use]
    pub fn parse(contents: &[u8]) -> Self {
        let mut passwd = Self::default();
        for (number, line) in contents.split(|&byte| byte == b'\n').enumerate() {
            if let Err(problem) = passwd.line(line) {
                passwd.faults.push(Fault { line: number + 1, problem });
            }
        }
        let mut stored = passwd.users.iter().filter_map(User::usable_password);
        let any_in_clear = stored.any(|stored| stored.in_clear().is_some());
        passwd.overview = Overview {
            stand_in: most_common(&passwd.users),
            scram: ScramHash::ALL.map(|hash| scram_overview(&passwd.users, hash)),
            any_in_clear,
            own_terms: passwd
                .users
                .iter()
                .fold(OwnTerms::default(), |own, user| own.and(OwnTerms::of(&user.terms))),
        };
        passwd
    }

    /// The user of that name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(*self.places.get(&key(name).ok()?)?)
    }

    /// All users, in the file's order.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// What was skipped.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What is known of all users together.
    pub(crate) const fn overview(&self) -> &Overview {
        &self.overview
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if is_comment(line) {
            return Ok(());
        }
        let line = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
        let (name, rest) = line.split_once(':').unwrap_or((line, ""));
        let owner = Owner::new(name).map_err(|error| error.to_string())?;
        let key = key(name).map_err(|error| error.to_string())?;
        if self.places.contains_key(&key) {
            return Err(format!("`{name}` stands above already"));
        }
        let (field, rest) = rest.split_once(':').unwrap_or((rest, ""));
        let password = Hash::parse(field).map(Arc::new);
        let Fields { place, may_log_in, terms, mut problems } = Fields::parse(rest);
        if let Err(error) = &password {
            problems.insert(0, error.to_string());
        }
        self.places.insert(key, self.users.len());
        let (owner, no_place) = match place {
            Ok(Some(place)) => (owner.at(place), None),
            Ok(None) => (owner, None),
            Err(problem) => {
                problems.push(problem.clone());
                (owner, Some(problem))
            }
        };
        self.users.push(User { owner, password, may_log_in, terms, no_place });
        match problems.is_empty() {
            true => Ok(()),
            false => Err(format!("`{name}`: {}", problems.join("; "))),
        }
    }
}

impl User {
    /// The stored password, where the user can log in with it.
    pub(crate) fn usable_password(&self) -> Option<&Arc<Hash>> {
        self.password.as_ref().ok().filter(|_| self.may_log_in)
    }
}

/// A name as names are compared: prepared (RFC 4013), where that is a name.
fn key(name: &str) -> Result<Owner, BadOwner> {
    let prepared = prepare(name).and_then(|name| Owner::new(&name).ok());
    prepared.map_or_else(|| Owner::new(name), Ok)
}

fn scram_overview(users: &[User], hash: ScramHash) -> ScramOverview {
    let (mut logins, mut able) = (0_usize, 0_usize);
    let mut counts: HashMap<NonZero<u32>, usize> = HashMap::new();
    for stored in users.iter().filter_map(User::usable_password) {
        logins += 1;
        let Some(material) = stored.scram_material(hash) else { continue };
        able += 1;
        if let Material::Keys(keys) = material {
            *counts.entry(keys.iterations()).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|&(iterations, count)| (count, iterations));
    let able = match logins {
        0 => Able::Nobody,
        _ if able == logins => Able::All,
        _ => Able::NotAll,
    };
    ScramOverview { able, iterations: most.map(|(iterations, _)| iterations) }
}

/// `contents` with a line for a new user at its end.
pub(crate) fn with_user(contents: &[u8], owner: &Owner, field: &str) -> Vec<u8> {
    let mut edited = contents.to_vec();
    if edited.last().is_some_and(|&last| last != b'\n') {
        edited.push(b'\n');
    }
    edited.extend_from_slice(owner.as_str().as_bytes());
    edited.push(b':');
    edited.extend_from_slice(field.as_bytes());
    // Empty fields for uid, gid, gecos, home, shell and extra, as Dovecot's manual shows them.
    edited.extend_from_slice(b"::::::\n");
    edited
}

/// `contents` with another password in a user's line; all else of the line stays.
pub(crate) fn with_password(contents: &[u8], owner: &Owner, field: &str) -> Vec<u8> {
    let mut done = false;
    edit(contents, |line, edited| {
        if done || name_of(line) != Some(owner.as_str().as_bytes()) {
            edited.extend_from_slice(line);
            return;
        }
        done = true;
        let (text, end) = split_end(line);
        edited.extend_from_slice(owner.as_str().as_bytes());
        edited.push(b':');
        edited.extend_from_slice(field.as_bytes());
        if let Some((colon, _)) = text.iter().enumerate().filter(|(_, b)| **b == b':').nth(1) {
            edited.extend_from_slice(text.get(colon..).unwrap_or_default());
        }
        edited.extend_from_slice(end);
    })
}

/// `contents` without a user: all lines of that name go, so that none of them comes to count.
pub(crate) fn without_user(contents: &[u8], owner: &Owner) -> Vec<u8> {
    edit(contents, |line, edited| {
        if name_of(line) != Some(owner.as_str().as_bytes()) {
            edited.extend_from_slice(line);
        }
    })
}

fn edit(contents: &[u8], mut each: impl FnMut(&[u8], &mut Vec<u8>)) -> Vec<u8> {
    let mut edited = Vec::with_capacity(contents.len());
    for line in contents.split_inclusive(|&byte| byte == b'\n') {
        each(line, &mut edited);
    }
    edited
}

fn name_of(line: &[u8]) -> Option<&[u8]> {
    let (text, _) = split_end(line);
    if is_comment(text) { None } else { text.split(|&byte| byte == b':').next() }
}

/// A line and its line end.
fn split_end(line: &[u8]) -> (&[u8], &[u8]) {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    line.split_at(text.len())
}

fn is_comment(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b'#' | b':'))
}

/// A hash of the cost most users' hashes have.
fn most_common(users: &[User]) -> Option<Arc<Hash>> {
    let mut counts: HashMap<&str, (usize, &Arc<Hash>)> = HashMap::new();
    for hash in users.iter().filter_map(User::usable_password) {
        counts.entry(hash.cost()).or_insert((0, hash)).0 += 1;
    }
    let most = counts.iter().max_by_key(|(cost, (count, _))| (*count, **cost));
    most.map(|(_, (_, hash))| Arc::clone(hash))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "\
# the office's users
fred:{PLAIN}one:1000:1000:Fred::/bin/false:userdb_mail=maildir:~/Maildir

:ignored
jörg@example.org:{PLAIN}two
fred:{PLAIN}three
../etc:{PLAIN}four
mute:{MD5}five::
alone
anna:$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa:::\r
";

    fn owner(name: &str) -> Owner {
        Owner::new(name).unwrap()
    }

    #[test]
    fn bad_lines_are_reported_and_keep_nobody_else_out() {
        let passwd = Passwd::parse(FILE.as_bytes());
        let names: Vec<_> = passwd.users().iter().map(|user| user.owner.as_str()).collect();
        assert_eq!(names, ["fred", "jörg@example.org", "mute", "alone", "anna"]);
        let lines: Vec<_> = passwd.faults().iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2, 6, 7, 8, 9]);
        let fits = |name, password: &[u8]| {
            passwd.user(name).unwrap().password.as_ref().unwrap().verify(password)
        };
        assert!(fits("fred", b"one") && !fits("fred", b"three"));
        assert!(fits("jörg@example.org", b"two"));
        assert!(fits("anna", "pa55 wörd".as_bytes()));
        assert!(passwd.user("mute").unwrap().password.is_err());
        assert!(passwd.user("../etc").is_none() && passwd.user("Fred").is_none());
        let text = format!("{:?}", passwd.faults());
        assert!(!text.contains("five") && !text.contains("four"), "{text}");
    }

    #[test]
    fn s67_names_are_compared_as_prepared() {
        let passwd =
            Passwd::parse("jo\u{308}rg:{PLAIN}x\n\u{fb01}ona:{PLAIN}y\nfiona:{PLAIN}z".as_bytes());
        for (name, owner) in [("j\u{f6}rg", "jo\u{308}rg"), ("fiona", "\u{fb01}ona")] {
            assert_eq!(passwd.user(name).unwrap().owner.as_str(), owner);
            assert_eq!(passwd.user(owner).unwrap().owner.as_str(), owner);
        }
        assert_eq!(passwd.faults().len(), 1, "two names that are one");
    }

    #[test]
    fn a_line_that_is_not_utf8_is_reported() {
        let passwd = Passwd::parse(b"caf\xe9:{PLAIN}x\nfred:{PLAIN}x");
        assert_eq!(passwd.faults().len(), 1);
        assert!(passwd.user("fred").is_some());
    }

    #[test]
    fn editing_keeps_all_that_it_is_not_about() {
        let edited = with_password(FILE.as_bytes(), &owner("fred"), "{PLAIN}new");
        let expected = FILE.replacen("{PLAIN}one", "{PLAIN}new", 1);
        assert_eq!(String::from_utf8(edited).unwrap(), expected);
        let edited = with_password(b"fred\r\nx:y", &owner("fred"), "{PLAIN}new");
        assert_eq!(edited, b"fred:{PLAIN}new\r\nx:y");
        let edited = without_user(FILE.as_bytes(), &owner("fred"));
        let lines = FILE.split_inclusive('\n');
        let expected: String = lines.filter(|line| !line.starts_with("fred:")).collect();
        assert_eq!(String::from_utf8(edited).unwrap(), expected);
        assert_eq!(with_user(b"x:y", &owner("a"), "{PLAIN}b"), b"x:y\na:{PLAIN}b::::::\n");
        assert_eq!(without_user(b"#fred:x\n", &owner("fred")), b"#fred:x\n");
    }

    #[test]
    fn what_stands_in_for_nobody_costs_what_most_users_cost() {
        let bcrypt = "$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa";
        let text = format!("a:{bcrypt}\nb:{{PLAIN}}x\nc:{bcrypt}\nd:{{MD5}}x\n");
        assert_eq!(Passwd::parse(text.as_bytes()).overview().stand_in().cost(), "$2y$05");
        assert_eq!(Passwd::parse(b"").overview().stand_in().cost(), Hash::stand_in().cost());
    }

    #[test]
    fn s75_scram_is_for_all_or_none_and_counts_as_most_do() {
        let scram = |iterations| {
            format!(
                "{{SCRAM-SHA-1}}{iterations},AAAA,MTBnL84ejv5FdPY1MDc3/K4wbf4=,PBd2XF3FrCHFVIOJs9IOsf6EsFM="
            )
        };
        let (one, many) = (scram(1), scram(7000));
        let file = format!("a:{many}\nb:{{PLAIN}}x\nc:{one}\nd:{many}\nmute:{{MD5}}x\n");
        let passwd = Passwd::parse(file.as_bytes()).overview().clone();
        assert!(passwd.all_can_scram(ScramHash::Sha1) && !passwd.all_can_scram(ScramHash::Sha256));
        assert_eq!(passwd.scram_iterations(ScramHash::Sha1).get(), 7000);
        assert_eq!(passwd.scram_iterations(ScramHash::Sha256), crate::scram::ITERATIONS);
        let argon2 =
            format!("{file}e:$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa");
        assert!(!Passwd::parse(argon2.as_bytes()).overview().all_can_scram(ScramHash::Sha1));
        assert!(!Passwd::parse(b"mute:{MD5}x").overview().all_can_scram(ScramHash::Sha1));
    }

    proptest! {
        #[test]
        fn any_user_that_is_added_is_found_changed_and_removed(
            contents: Vec<u8>,
            name in "[^\\x00-\\x1f\\x7f-\\x9f:/\\\\#.][^\\x00-\\x1f\\x7f-\\x9f:/\\\\]{0,20}",
            password in "[^:\\x00\\r\\n]{1,20}",
        ) {
            let owner = owner(&name);
            let before = without_user(&contents, &owner);
            prop_assert!(Passwd::parse(&before).user(&name).is_none());
            let added = with_user(&before, &owner, "{PLAIN}first");
            let changed = with_password(&added, &owner, &format!("{{PLAIN}}{password}"));
            let passwd = Passwd::parse(&changed);
            let hash = passwd.user(&name).unwrap().password.as_ref().unwrap();
            prop_assert!(hash.verify(password.as_bytes()));
            let others = Passwd::parse(&before).users().len();
            prop_assert_eq!(passwd.users().len(), others + 1);
            let removed = without_user(&changed, &owner);
            prop_assert!(removed == before || removed == [&before[..], b"\n"].concat());
        }
    }
}

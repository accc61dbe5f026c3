use std::time::Duration;

use restante_maildrop::{Account, AuthError, Authenticator, BoxFuture, Login};

use super::*;

/// Knows fred, whose own password is "secret", and anna; hannah is gone.
#[derive(Debug)]
struct TwoUsers;

impl Authenticator for TwoUsers {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        let good = match login {
            Login::Password { user, password } => user == "fred" && password.expose() == b"secret",
            Login::Proof { user, proven } => *proven && ["fred", "anna"].contains(&user.as_str()),
            _ => false,
        };
        let account = Owner::new(login.user()).map(Account::from).map_err(|_| AuthError::Refused);
        Box::pin(async move { if good { account } else { Err(AuthError::Refused) } })
    }
}

fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}

struct Office {
    dir: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn app_passwords(&self) -> AppPasswords {
        AppPasswords::new(Host::real(), &self.dir.path().join("passwd"), self.dir.path())
    }

    fn add(&self, user: &str, label: &str, scope: &[Scope]) -> String {
        let (_, secret) = self.app_passwords().add(&owner(user), label, scope, None).unwrap();
        secret.expose().clone()
    }

    async fn log_in(&self, user: &str, password: &str) -> Option<Option<String>> {
        let logins = AppPasswordLogins::new(Arc::new(TwoUsers), self.app_passwords());
        let password = Secret::new(password.as_bytes().to_vec());
        let login = Login::Password { user: user.to_owned(), password };
        let admitted = logins.admit(&login).await.ok()?;
        assert_eq!(admitted.account.owner.as_str(), user);
        Some(admitted.app_password)
    }
}

#[tokio::test]
async fn an_app_password_lets_its_user_in_and_nobody_else() {
    let office = Office::new();
    let phone = office.add("fred", "phone", &[Scope::Pop]);
    let laptop = office.add("fred", "laptop", &[Scope::Pop, Scope::Lmtp]);
    let gone = office.add("hannah", "phone", &[Scope::Pop]);
    let lmtp = office.add("fred", "gateway", &[Scope::Lmtp]);
    let by = |label: &str| Some(Some(label.to_owned()));
    assert_eq!(office.log_in("fred", &phone).await, by("phone"));
    assert_eq!(office.log_in("fred", &laptop).await, by("laptop"));
    // As people type it.
    assert_eq!(office.log_in("fred", &phone.replace('-', " ").to_uppercase()).await, by("phone"));
    assert_eq!(office.log_in("fred", &phone.replace('-', "")).await, by("phone"));
    assert_eq!(office.log_in("fred", "secret").await, Some(None));
    for (user, password) in [
        ("anna", &phone),
        ("hannah", &gone),
        ("fred", &gone),
        ("fred", &lmtp),
        ("fred", &phone.chars().skip(1).collect()),
        ("fred", &format!("{phone}a")),
        ("fred", &String::new()),
    ] {
        assert_eq!(office.log_in(user, password).await, None, "{user} {password}");
    }
    office.app_passwords().remove(&owner("fred"), "phone").unwrap();
    assert_eq!(office.log_in("fred", &phone).await, None);
    assert_eq!(office.log_in("fred", &laptop).await, by("laptop"));
    assert_eq!(office.app_passwords().remove_all(&owner("fred")).unwrap(), 2);
    assert_eq!(office.log_in("fred", &laptop).await, None);
    assert_eq!(office.app_passwords().remove_all(&owner("fred")).unwrap(), 0);
}

#[test]
fn an_app_password_ends_at_its_time_and_none_is_made_that_has_ended() {
    let office = Office::new();
    let now = Host::real().clock.wall();
    let later = now + Duration::from_secs(3600);
    let app_passwords = office.app_passwords();
    let add = |expires| app_passwords.add(&owner("fred"), "phone", &[Scope::Pop], Some(expires));
    assert!(matches!(add(now), Err(EditError::BadAppPassword(_))));
    add(later).unwrap();
    let (entry, used) = app_passwords.list().unwrap().pop().unwrap();
    assert_eq!(used, None);
    let end = entry.expires.unwrap();
    let before = end - Duration::from_secs(1);
    assert!(entry.opens(Scope::Pop, before) && !entry.opens(Scope::Pop, end));
    assert!(!entry.opens(Scope::Lmtp, before) && entry.is_over(end) && !entry.is_over(before));
}

#[test]
fn labels_are_the_users_own_and_fit_a_line() {
    let office = Office::new();
    office.add("fred", "phone", &[Scope::Pop]);
    office.add("anna", "phone", &[Scope::Pop]);
    let app_passwords = office.app_passwords();
    let add = |label: &str| app_passwords.add(&owner("fred"), label, &[Scope::Pop], None);
    assert!(matches!(add("phone"), Err(EditError::LabelTaken(_))));
    for bad in [String::new(), "a\nb".to_owned(), "\u{1b}".to_owned(), "x".repeat(65)] {
        assert!(matches!(add(&bad), Err(EditError::BadAppPassword(_))), "{bad:?}");
    }
    assert!(add(&"ü".repeat(64)).is_ok());
    let none = app_passwords.remove(&owner("fred"), "tablet");
    assert!(matches!(none, Err(EditError::NoLabel(_))));
}

#[test]
fn the_file_holds_no_secret_and_lines_of_others_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let office = Office::new();
    let app_passwords = office.app_passwords();
    std::fs::write(app_passwords.path(), "not json\n{\"user\":\"x\"}").unwrap();
    let secret = office.add("fred", "phone", &[Scope::Pop]);
    let text = std::fs::read_to_string(app_passwords.path()).unwrap();
    assert!(!text.contains(&secret) && !text.contains(&secret.replace('-', "")));
    assert!(text.starts_with("not json\n{\"user\":\"x\"}\n{"), "{text}");
    assert_eq!(secret.len(), 24);
    assert_eq!(app_passwords.list().unwrap().len(), 1);
    app_passwords.remove(&owner("fred"), "phone").unwrap();
    let text = std::fs::read_to_string(app_passwords.path()).unwrap();
    assert_eq!(text, "not json\n{\"user\":\"x\"}\n");
    let other = Office::new();
    other.add("fred", "phone", &[Scope::Pop]);
    let mode = std::fs::metadata(other.app_passwords().path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_line_is_read_as_it_is_written_and_a_bad_time_is_not_for_ever() {
    let office = Office::new();
    let host = Host::real();
    let expires = Some(host.clock.wall() + Duration::from_secs(60));
    let made = office.app_passwords().add(&owner("jörg"), "a\"b", &Scope::ALL, expires).unwrap().0;
    let line = made.to_line();
    let read = AppPassword::parse(line.as_bytes()).unwrap();
    assert_eq!(read.to_line(), line);
    assert_eq!((&read.owner, &read.label, &read.scope), (&made.owner, &made.label, &made.scope));
    let bad = line.replacen("\"expires\":\"", "\"expires\":\"x", 1);
    assert!(bad != line && AppPassword::parse(bad.as_bytes()).is_err());
    assert!(!format!("{made:?}").contains(&made.id()));
}

#[tokio::test]
async fn the_last_use_is_kept_to_the_hour() {
    let office = Office::new();
    let secret = office.add("fred", "phone", &[Scope::Pop]);
    let app_passwords = office.app_passwords();
    let entry = app_passwords.find(secret.as_bytes(), Scope::Pop).unwrap().unwrap();
    let now = Host::real().clock.wall();
    let used = || app_passwords.list().unwrap()[0].1.map(moment::to_text);
    assert_eq!(used(), None);
    for (minutes, kept) in [(0, 0), (59, 0), (60, 60), (61, 60), (200, 200)] {
        let at = |minutes: u64| now + Duration::from_secs(60 * minutes);
        app_passwords.last_use.note(entry.id(), at(minutes));
        app_passwords.last_use.written().await;
        assert_eq!(used(), Some(moment::to_text(at(kept))), "{minutes}");
    }
}

#[tokio::test]
async fn app_passwords_that_cannot_be_read_refuse_nobody() {
    let office = Office::new();
    std::fs::create_dir(office.app_passwords().path()).unwrap();
    let logins = AppPasswordLogins::new(Arc::new(TwoUsers), office.app_passwords());
    let password = Secret::new(b"abcd-efgh-ijkm-npqr-stuv".to_vec());
    let login = Login::Password { user: "fred".to_owned(), password };
    assert!(matches!(logins.admit(&login).await, Err(AuthError::Unavailable(_))));
}

//! Logins of every kind against user databases of every kind.

use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use proptest::prelude::*;
use restante_host::{Clock, HostClock};
use restante_proto::sasl::Mechanism;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::pool::tests::{fill, occupy};
use crate::tokens::tests::Signer;
use crate::users::tests::Single;
use crate::{BadPassword, Issuer, PasswdFile, PasswdUsers, ScramOffer};

/// A clock that moves by hand.
#[derive(Debug)]
pub(crate) struct HandClock(Mutex<Instant>);

impl HandClock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HostClock.monotonic()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn monotonic(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        HostClock.wall()
    }
}

struct Office {
    dir: TempDir,
    clock: Arc<HandClock>,
    authenticator: UserAuthenticator,
}

/// One thread, one waiting login, and what `passwd` says.
fn office(passwd: &str) -> Office {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passwd");
    std::fs::write(&path, passwd).unwrap();
    let clock = Arc::new(HandClock::new());
    let host = Host { clock: Arc::<HandClock>::clone(&clock), ..Host::real() };
    let limits = LoginLimits { hash_threads: 1, queue: 1, ..LoginLimits::default() };
    let secret = Secret::new([1; 32]);
    let mechanisms =
        Mechanisms { scram: ScramOffer::WhenAllCan, cram_md5: true, apop: false, secret };
    let file = PasswdUsers::new(PasswdFile::new(host.clone(), path));
    let users = Users::default().with(Arc::new(file), None);
    let authenticator = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
    Office { dir, clock, authenticator }
}

impl Office {
    async fn login(&self, user: &str, password: &str) -> &'static str {
        let password = Secret::new(password.as_bytes().to_vec());
        let login = Login::Password { user: user.to_owned(), password };
        match self.authenticator.authenticate(&login).await {
            Ok(account) => {
                assert_eq!(account.owner.as_str(), user);
                "in"
            }
            Err(AuthError::Refused) => "refused",
            Err(_) => "unavailable",
        }
    }
}

/// RFC 4013: a password counts as prepared, however it was typed and whoever stored it.
#[tokio::test]
async fn s67_s82_passwords_are_compared_as_prepared_and_as_they_came() {
    let (composed, decomposed) = ("p\u{e4}ss", "pa\u{308}ss");
    let office = office(&format!("anna:{{PLAIN}}{composed}\nfred:{{PLAIN}}{decomposed}\n"));
    for (user, password, outcome) in [
        ("anna", composed, "in"),
        ("anna", decomposed, "in"),
        ("anna", "p\u{e4}s\u{ad}s", "in"),
        ("anna", "pass", "refused"),
        ("fred", decomposed, "in"),
        ("fred", composed, "in"),
    ] {
        assert_eq!(office.login(user, password).await, outcome, "{user} {password:?}");
    }
    // The MD5 of the stamp and of either form.
    for answer in [b"ea4af2851013d851a35d4ce4663baa37", b"7deb98ec9ccb99196415b2a445cca2da"] {
        let digest = Digest::apop("<1@here>", answer);
        let login = Login::Digest { user: "fred".to_owned(), digest };
        assert!(office.authenticator.authenticate(&login).await.is_ok());
    }
}

const BCRYPT: &str = "$2y$05$ikMVqqIqAF1ZvlPjZerxLOOPdEaa4eDXR4k0u/SHBDzmt5J65hSqa";

#[tokio::test]
async fn only_the_right_password_of_a_user_that_exists_gets_in() {
    let office = office(&format!("fred:{BCRYPT}\nmute:{{MD5}}x\nanna:{{PLAIN}}Two\n"));
    for (user, password, outcome) in [
        ("fred", "pa55 wörd", "in"),
        ("fred", "pa55 wörd ", "refused"),
        ("fred", "", "refused"),
        ("Fred", "pa55 wörd", "refused"),
        ("anna", "Two", "in"),
        ("anna", "pa55 wörd", "refused"),
        // The hash that stands in for nobody fits this very password.
        ("nobody", "pa55 wörd", "refused"),
        ("../fred", "pa55 wörd", "refused"),
        ("mute", "x", "refused"),
        ("mute", "pa55 wörd", "refused"),
        ("", "", "refused"),
    ] {
        assert_eq!(office.login(user, password).await, outcome, "{user:?} {password:?}");
    }
}

#[tokio::test]
async fn a_good_login_is_remembered_for_its_time_and_costs_no_hash() {
    let office = office(&format!("fred:{BCRYPT}\n"));
    assert_eq!(office.login("fred", "pa55 wörd").await, "in");
    let release = occupy(&office.authenticator.pool);
    fill(&office.authenticator.pool);
    assert_eq!(office.login("fred", "pa55 wörd").await, "in");
    // All of these need a hash, and none can be had: what does not exist costs the same.
    for (user, password) in [("fred", "wrong"), ("nobody", "x"), ("../x", "x"), ("", "")] {
        assert_eq!(office.login(user, password).await, "unavailable", "{user:?}");
    }
    office.clock.advance(Duration::from_secs(300));
    assert_eq!(office.login("fred", "pa55 wörd").await, "unavailable");
    drop(release);
}

#[tokio::test]
async fn a_changed_password_and_a_removed_user_count_at_once() {
    let office = office("fred:{PLAIN}one\n");
    let path = office.dir.path().join("passwd");
    assert_eq!(office.login("fred", "one").await, "in");
    std::fs::write(&path, "fred:{PLAIN}two\n").unwrap();
    assert_eq!(office.login("fred", "one").await, "refused");
    assert_eq!(office.login("fred", "two").await, "in");
    std::fs::write(&path, "anna:{PLAIN}two\n").unwrap();
    assert_eq!(office.login("fred", "two").await, "refused");
}

#[tokio::test]
async fn a_user_database_that_cannot_be_read_refuses_nobody() {
    let office = office("fred:{PLAIN}one\n");
    assert_eq!(office.login("fred", "one").await, "in");
    std::fs::remove_file(office.dir.path().join("passwd")).unwrap();
    assert_eq!(office.login("fred", "one").await, "unavailable");
    std::fs::create_dir(office.dir.path().join("passwd")).unwrap();
    assert_eq!(office.login("fred", "one").await, "unavailable");
    assert_eq!(office.login("fred", "wrong").await, "unavailable");
}

#[tokio::test]
async fn s70_s75_scram_keys_fit_the_password_or_none_and_proofs_open_maildrops() {
    let scram = format!(
        "{{SCRAM-SHA-1}}{}",
        crate::scram::to_text(&ScramKeys::derive(
            ScramHash::Sha1,
            b"two",
            b"salt".to_vec(),
            NonZero::new(77).unwrap(),
        ))
        .expose()
    );
    let office = office(&format!("anna:{{PLAIN}}one\nfred:{scram}\nhash:{BCRYPT}\n"));
    for (user, hash, password) in [
        ("anna", ScramHash::Sha256, Some("one")),
        ("anna", ScramHash::Sha1, Some("one")),
        ("fred", ScramHash::Sha1, Some("two")),
        ("fred", ScramHash::Sha256, None),
        ("hash", ScramHash::Sha256, None),
        ("nobody", ScramHash::Sha256, None),
        ("../x", ScramHash::Sha1, None),
    ] {
        let keys = office.authenticator.scram_keys(user, hash).await.unwrap();
        assert_eq!(keys, office.authenticator.scram_keys(user, hash).await.unwrap());
        let iterations = if hash == ScramHash::Sha1 { 77 } else { 4096 };
        assert_eq!(keys.iterations().get(), iterations, "{user} {hash:?}");
        for tried in ["one", "two", "pa55 wörd", ""] {
            let fits = keys.fit_password(tried.as_bytes());
            assert_eq!(fits, Some(tried) == password, "{user} {hash:?} {tried:?}");
        }
    }
    for (user, proven, good) in
        [("anna", true, true), ("anna", false, false), ("nobody", true, false)]
    {
        let login = Login::Proof { user: user.to_owned(), proven };
        let outcome = office.authenticator.authenticate(&login).await;
        assert_eq!(outcome.is_ok(), good, "{user} {proven}");
        assert!(good || matches!(outcome, Err(AuthError::Refused)));
    }
}

#[tokio::test]
async fn s75_scram_keys_cost_the_same_work_for_every_name() {
    let office = office(&format!("anna:{{PLAIN}}one\nhash:{BCRYPT}\n"));
    let release = occupy(&office.authenticator.pool);
    fill(&office.authenticator.pool);
    for user in ["anna", "hash", "nobody", "../x"] {
        let keys = office.authenticator.scram_keys(user, ScramHash::Sha256).await;
        assert!(matches!(keys, Err(AuthError::Unavailable(_))), "{user}");
    }
    drop(release);
}

#[tokio::test]
async fn s33_s74_digests_open_only_for_passwords_stored_in_clear() {
    let office = office(&format!("tim:{{PLAIN}}tanstaaftanstaaf\nhash:{BCRYPT}\n"));
    let challenge = "<1896.697170952@postoffice.reston.mci.net>";
    let right = Digest::cram_md5(challenge, b"b913a602c7eda7a495b4e6e7334d3890");
    let wrong = Digest::cram_md5(challenge, b"b913a602c7eda7a495b4e6e7334d3891");
    for (user, digest, good) in [
        ("tim", &right, true),
        ("tim", &wrong, false),
        ("hash", &right, false),
        ("nobody", &right, false),
    ] {
        let login = Login::Digest { user: user.to_owned(), digest: digest.clone() };
        let outcome = office.authenticator.authenticate(&login).await;
        assert_eq!(outcome.is_ok(), good, "{user}");
        assert!(good || matches!(outcome, Err(AuthError::Refused)));
    }
}

#[tokio::test]
async fn s55_r25_a_certificate_opens_the_maildrop_of_a_user_who_is_there() {
    let office = office("anna:{PLAIN}one\nmute:{MD5}x\n");
    for (given, names, good) in [
        (None, &["anna"][..], true),
        (Some("anna"), &["fred", "anna"], true),
        (Some("fred"), &["anna"], false),
        (None, &["fred"], false),
        (None, &["mute"], false),
        (None, &[], false),
        (Some("anna"), &[], false),
        (None, &["fred", "anna"], false),
        (None, &["../anna"], false),
    ] {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let login = Login::Certificate { user: given.map(str::to_owned), names };
        let outcome = office.authenticator.authenticate(&login).await;
        assert_eq!(outcome.is_ok(), good, "{login:?}");
        assert!(good || matches!(outcome, Err(AuthError::Refused)));
    }
}

#[tokio::test]
async fn scram_is_offered_when_all_users_can_use_it_and_follows_the_file() {
    let office = office("anna:{PLAIN}one\n");
    let path = office.dir.path().join("passwd");
    let both = Offers {
        scram_sha_256: true,
        scram_sha_1: true,
        cram_md5: true,
        apop: false,
        tokens: false,
    };
    assert_eq!(office.authenticator.offers().await, both);
    std::fs::write(&path, format!("anna:{{PLAIN}}one\nfred:{BCRYPT}\n")).unwrap();
    let digests = Offers { cram_md5: true, ..Offers::default() };
    assert_eq!(office.authenticator.offers().await, digests);
    std::fs::write(&path, format!("fred:{BCRYPT}\n")).unwrap();
    assert_eq!(office.authenticator.offers().await, Offers::default());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(office.authenticator.offers().await, Offers::default());
    let keys = office.authenticator.scram_keys("anna", ScramHash::Sha1).await;
    assert!(matches!(keys, Err(AuthError::Unavailable(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whoever_is_added_gets_in_with_that_password_alone(
        name in ".{0,12}|[a-z:#./ ]{0,4}",
        password in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            ".{0,8}".prop_map(String::into_bytes),
        ],
    ) {
        let office = office("");
        let file = PasswdFile::new(Host::real(), office.dir.path().join("passwd"));
        let usable = Owner::new(&name).is_ok()
            && !name.contains(':')
            && !name.starts_with('#')
            && BadPassword::check(&password).is_ok();
        let secret = Secret::new(password.clone());
        prop_assert_eq!(file.add(&name, &secret).is_ok(), usable);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let try_in = |password: Vec<u8>| {
            let login = Login::Password { user: name.clone(), password: Secret::new(password) };
            runtime.block_on(office.authenticator.authenticate(&login)).is_ok()
        };
        prop_assert_eq!(try_in(password.clone()), usable);
        let mut longer = password;
        longer.push(b'x');
        prop_assert!(!try_in(longer));
    }
}

#[tokio::test]
async fn s73_a_token_opens_the_maildrop_of_its_user_who_must_exist_unless_told_otherwise() {
    let signer = Signer::new(jsonwebtoken::Algorithm::ES256);
    let by_token = async |office: &Office, token: String| {
        let (user, token) = (None, Secret::new(token));
        let mechanism = Mechanism::OauthBearer;
        let login = Login::Token { user, token, mechanism, host: None, port: None };
        let owner = office.authenticator.authenticate(&login).await;
        owner.map(|account| account.owner.as_str().to_owned()).map_err(|error| error.to_string())
    };
    let mut office = office("fred:{PLAIN}x\nmute:{MD5}x\nshut:{PLAIN}x::::::nologin\n");
    let (fred, anna) = (json!({"email": "fred"}), json!({"email": "anna"}));
    let refused = Err(AuthError::Refused.to_string());
    assert_eq!(by_token(&office, signer.token(fred.clone())).await, refused, "not configured");
    assert!(!office.authenticator.offers().await.tokens);
    office.authenticator = office.authenticator.with_tokens(signer.tokens());
    assert!(office.authenticator.offers().await.tokens);
    assert_eq!(by_token(&office, signer.token(fred.clone())).await, Ok("fred".to_owned()));
    assert_eq!(by_token(&office, "x".to_owned()).await, refused);
    for nobody in ["anna", "mute", "shut", "../fred"] {
        let token = signer.token(json!({ "email": nobody }));
        assert_eq!(by_token(&office, token).await, refused, "{nobody}");
    }
    let issuer = Issuer { any_user: true, ..signer.issuer() };
    let tokens = Tokens::new(Host::real(), issuer).unwrap();
    office.authenticator = office.authenticator.with_tokens(tokens);
    assert_eq!(by_token(&office, signer.token(anna)).await, Ok("anna".to_owned()));
    let mute = signer.token(json!({"email": "mute"}));
    assert_eq!(by_token(&office, mute).await, Ok("mute".to_owned()), "needs no password");
    for nobody in ["../fred", "shut"] {
        let token = signer.token(json!({ "email": nobody }));
        assert_eq!(by_token(&office, token).await, refused, "{nobody}");
    }
    std::fs::remove_file(signer.jwks()).unwrap();
    let unavailable = "logins cannot be checked now".to_owned();
    assert_eq!(by_token(&office, signer.token(fred)).await, Err(unavailable));
}

/// The same office with these databases, all of which keep counting.
async fn with_databases(databases: &[Arc<Single>]) -> Office {
    let mut office = office("");
    let host = Host { clock: Arc::<HandClock>::clone(&office.clock), ..Host::real() };
    let users = databases
        .iter()
        .fold(Users::default(), |users, database| users.with(Arc::<Single>::clone(database), None));
    let limits = LoginLimits { hash_threads: 1, queue: 1, ..LoginLimits::default() };
    let mechanisms = office.authenticator.mechanisms.clone();
    office.authenticator = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
    office
}

#[tokio::test]
async fn the_first_database_that_knows_the_user_decides() {
    let (first, second) = (Single::new("fred", "{PLAIN}one"), Single::new("fred", "=two"));
    let third = Single::new("anna", "{PLAIN}three");
    let office = with_databases(&[first, second, third].map(Arc::new)).await;
    for (user, password, outcome) in [
        ("fred", "one", "in"),
        ("fred", "two", "refused"),
        ("anna", "three", "in"),
        ("anna", "one", "refused"),
        ("nobody", "one", "refused"),
    ] {
        assert_eq!(office.login(user, password).await, outcome, "{user} {password}");
    }
    let databases = [Single::new("fred", "=two"), Single::new("fred", "{PLAIN}one")].map(Arc::new);
    let office = with_databases(&databases).await;
    assert_eq!(office.login("fred", "one").await, "refused");
    assert_eq!(office.login("fred", "two").await, "in");
}

#[tokio::test]
async fn r22_who_is_refused_has_cost_every_database_the_same_questions() {
    for stored in [["{PLAIN}one", "{PLAIN}one"], ["=one", "{PLAIN}one"], ["{PLAIN}one", "=one"]] {
        let users = ["fred", "anna"].into_iter().zip(stored);
        let databases: Vec<_> =
            users.map(|(user, stored)| Arc::new(Single::new(user, stored))).collect();
        let office = with_databases(&databases).await;
        for user in ["fred", "anna", "nobody"] {
            let before: Vec<_> = databases.iter().map(|database| database.asked()).collect();
            assert_eq!(office.login(user, "wrong").await, "refused");
            for (database, before) in databases.iter().zip(before) {
                assert_eq!(database.asked(), before + 1, "{user} with {stored:?}");
            }
        }
        // And a hash each: none can be had now.
        let release = occupy(&office.authenticator.pool);
        fill(&office.authenticator.pool);
        for user in ["fred", "anna", "nobody"] {
            assert_eq!(office.login(user, "wrong").await, "unavailable", "{user} {stored:?}");
        }
        drop(release);
    }
}

#[tokio::test]
async fn a_database_out_of_reach_refuses_nobody_and_no_other_stands_in_for_it() {
    let mut gone = Single::new("fred", "{PLAIN}one");
    gone.reachable = false;
    let (gone, here) = (Arc::new(gone), Arc::new(Single::new("anna", "{PLAIN}two")));
    let office = with_databases(&[Arc::clone(&gone), Arc::clone(&here)]).await;
    for (user, password) in [("fred", "one"), ("anna", "two"), ("nobody", "x")] {
        assert_eq!(office.login(user, password).await, "unavailable", "{user}");
        let keys = office.authenticator.scram_keys(user, ScramHash::Sha256).await;
        assert!(matches!(keys, Err(AuthError::Unavailable(_))), "{user}");
    }
    assert_eq!(here.asked(), 0);
    // Behind one that knows the user, it is in nobody's way; and nobody learns who is known.
    let office = with_databases(&[here, gone]).await;
    assert_eq!(office.login("anna", "two").await, "in");
    for user in ["anna", "fred", "nobody"] {
        assert_eq!(office.login(user, "wrong").await, "unavailable", "{user}");
    }
}

#[tokio::test]
async fn r21_names_that_cannot_be_users_are_asked_of_no_database() {
    let database = Arc::new(Single::new("fred", "{PLAIN}one"));
    let office = with_databases(&[Arc::clone(&database)]).await;
    for name in ["", "../x", "a/b", "a\0b", "a\nb", ".", &"x".repeat(256)] {
        assert_eq!(office.login(name, "one").await, "refused", "{name:?}");
    }
    assert_eq!(database.asked(), 0);
    // All others are asked for as they are.
    for name in ["' OR 1=1 --", "*)(uid=*", "%s%n", "{user}", "${x}", "fred\u{301}"] {
        assert_eq!(office.login(name, "one").await, "refused", "{name:?}");
        assert_eq!(database.asked.lock().unwrap().pop().as_deref(), Some(name));
    }
}

#[tokio::test]
async fn scram_is_offered_for_all_databases_together_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::real();
    let database = |name: &str, passwd: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, passwd).unwrap();
        Arc::new(PasswdUsers::new(PasswdFile::new(Host::real(), path)))
    };
    let offers = async |databases: &[Arc<PasswdUsers>]| {
        let users = databases.iter().fold(Users::default(), |users, database| {
            users.with(Arc::<PasswdUsers>::clone(database), None)
        });
        let secret = Secret::new([1; 32]);
        let scram = ScramOffer::WhenAllCan;
        let mechanisms = Mechanisms { scram, cram_md5: true, apop: false, secret };
        let limits = LoginLimits::default();
        let logins = UserAuthenticator::new(&host, users, limits, mechanisms).unwrap();
        let offers = logins.offers().await;
        (offers.scram_sha_256, offers.cram_md5)
    };
    let clear = database("clear", "fred:{PLAIN}x\nshut:{PLAIN}x::::::nologin\n");
    let hashed = database("hashed", &format!("anna:{BCRYPT}\n"));
    let shut = database("shut", &format!("anna:{BCRYPT}::::::nologin\n"));
    assert_eq!(offers(&[Arc::clone(&clear), Arc::clone(&shut)]).await, (true, true));
    assert_eq!(offers(&[Arc::clone(&clear), Arc::clone(&hashed)]).await, (false, true));
    assert_eq!(offers(&[hashed]).await, (false, false));
    assert_eq!(offers(&[shut]).await, (false, false));
}

#[tokio::test]
async fn a_line_says_who_may_log_in_and_where_the_maildrop_lies() {
    let office = office(
        "fred:{PLAIN}one::::::userdb_mail=maildir:/m/fred allow_nets=192.0.2.0/24\n\
         shut:{PLAIN}one::::::nologin\nlost:{PLAIN}one::::::userdb_mail=mbox:/m/lost\n",
    );
    let password = || Secret::new(b"one".to_vec());
    let login = Login::Password { user: "fred".to_owned(), password: password() };
    let account = office.authenticator.authenticate(&login).await.unwrap();
    assert_eq!(account.owner.place(), Some(std::path::Path::new("/m/fred")));
    assert!(!account.terms.allow("192.0.3.1".parse().unwrap()));
    assert_eq!(office.login("shut", "one").await, "refused");
    let proof = Login::Proof { user: "shut".to_owned(), proven: true };
    let proven = office.authenticator.authenticate(&proof).await;
    assert!(matches!(proven, Err(AuthError::Refused)));
    // An empty maildrop in the usual place would be worse than none.
    assert_eq!(office.login("lost", "one").await, "unavailable");
}

use std::num::NonZero;
use std::sync::Mutex;

use restante_proto::sasl::Mechanism;

use super::*;

/// Knows one user, fred with the password "secret", whose database calls him Fred, too; and
/// remembers what it was asked.
#[derive(Debug, Default)]
struct OnlyFred(Mutex<Vec<Login>>);

impl Authenticator for OnlyFred {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        self.0.lock().unwrap().push(login.clone());
        let good = match login {
            Login::Password { password, .. } => password.expose() == b"secret",
            Login::Proof { proven, .. } => *proven,
            Login::Digest { digest, .. } => digest.fits(b"secret"),
            _ => true,
        };
        let known = matches!(login.user(), "fred" | "Fred" | "");
        let account = Owner::new("fred").map(Account::from).map_err(|_| AuthError::Refused);
        Box::pin(async move { if good && known { account } else { Err(AuthError::Refused) } })
    }

    fn scram_keys<'a>(
        &'a self,
        _: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        let (salt, count) = (b"salt".to_vec(), NonZero::<u32>::MIN);
        Box::pin(async move { Ok(ScramKeys::derive(hash, b"secret", salt, count)) })
    }
}

fn password(user: &str, password: &str) -> Login {
    let password = Secret::new(password.as_bytes().to_vec());
    Login::Password { user: user.to_owned(), password }
}

#[tokio::test]
async fn a_user_who_is_turned_off_is_refused_after_the_work_of_a_wrong_password() {
    let dir = tempfile::tempdir().unwrap();
    let passwd = dir.path().join("passwd");
    let disabled = DisabledUsers::new(Host::real(), &passwd);
    let fred = Owner::new("fred").unwrap();
    let behind = Arc::new(OnlyFred::default());
    let logins = DisabledLogins::new(
        Arc::<OnlyFred>::clone(&behind),
        DisabledUsers::new(Host::real(), &passwd),
    );
    let proof = || Login::Proof { user: "fred".to_owned(), proven: true };
    let digest = || {
        let answer = b"0f3a4d3ec5ed7ca1d4a53ad4d8a1d5e5";
        Login::Digest { user: "fred".to_owned(), digest: Digest::cram_md5("<1@x>", answer) }
    };
    let token = || {
        let (token, mechanism) = (Secret::new("t".to_owned()), Mechanism::OauthBearer);
        Login::Token { user: None, token, mechanism, host: None, port: None }
    };
    let keys = async || logins.scram_keys("fred", ScramHash::Sha256).await.unwrap();
    let good_keys = keys().await;
    for on in [true, false, true] {
        if !on {
            assert!(disabled.set(&fred, true).unwrap());
        } else {
            disabled.set(&fred, false).unwrap();
        }
        for login in [password("fred", "secret"), password("Fred", "secret"), proof(), token()] {
            let outcome = logins.authenticate(&login).await;
            assert_eq!(outcome.is_ok(), on, "{login:?}");
            assert!(on || matches!(outcome, Err(AuthError::Refused)));
        }
        for login in [password("fred", "wrong"), digest()] {
            assert!(matches!(logins.authenticate(&login).await, Err(AuthError::Refused)));
        }
        let keys = keys().await;
        assert_eq!((keys.salt(), keys.iterations()), (good_keys.salt(), good_keys.iterations()));
        assert_eq!(keys.fit_password(b"secret"), on);
        if !on {
            // What stands behind never saw the right password of this name.
            let asked = behind.0.lock().unwrap();
            let of_fred = asked.iter().rev().take_while(|login| login.user() != "Fred");
            for login in of_fred {
                let right = match login {
                    Login::Password { password, .. } => password.expose() == b"secret",
                    Login::Proof { proven, .. } => *proven,
                    _ => false,
                };
                assert!(!right, "{login:?}");
            }
        }
        behind.0.lock().unwrap().clear();
    }
}

#[test]
fn names_are_added_and_removed_and_comments_stay() {
    let dir = tempfile::tempdir().unwrap();
    let passwd = dir.path().join("passwd");
    let disabled = DisabledUsers::new(Host::real(), &passwd);
    let owner = |name| Owner::new(name).unwrap();
    assert!(!disabled.set(&owner("fred"), false).unwrap());
    assert!(!disabled.path().exists());
    std::fs::write(disabled.path(), "# on leave\r\nanna").unwrap();
    assert!(disabled.set(&owner("fred"), true).unwrap());
    assert!(!disabled.set(&owner("fred"), true).unwrap());
    let text = || std::fs::read_to_string(disabled.path()).unwrap();
    assert_eq!(text(), "# on leave\r\nanna\nfred\n");
    assert!(disabled.contains("anna").unwrap() && !disabled.contains("# on leave").unwrap());
    assert!(disabled.set(&owner("anna"), false).unwrap());
    assert_eq!(text(), "# on leave\r\nfred\n");
}

#[tokio::test]
async fn a_list_that_cannot_be_read_lets_nobody_in_and_refuses_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let passwd = dir.path().join("passwd");
    let disabled = DisabledUsers::new(Host::real(), &passwd);
    std::fs::create_dir(disabled.path()).unwrap();
    let logins = DisabledLogins::new(Arc::new(OnlyFred::default()), disabled);
    for word in ["secret", "wrong"] {
        let outcome = logins.authenticate(&password("fred", word)).await;
        assert!(matches!(outcome, Err(AuthError::Unavailable(_))));
    }
}

#[test]
fn a_name_that_the_file_takes_for_a_comment_is_not_said_to_be_turned_off() {
    let dir = tempfile::tempdir().unwrap();
    let disabled = DisabledUsers::new(Host::real(), &dir.path().join("passwd"));
    let owner = Owner::new("#fred").unwrap();
    assert!(matches!(disabled.set(&owner, true), Err(EditError::BadName(_))));
    assert!(!disabled.path().exists());
    assert!(!disabled.set(&owner, false).unwrap());
}

/// Goal: a server that may read the user database can read the list of names that root makes beside
/// it, or it would let nobody in any more.
#[test]
fn the_list_can_be_read_by_whoever_can_read_the_user_database() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let dir = tempfile::tempdir().unwrap();
    let passwd = dir.path().join("passwd");
    std::fs::write(&passwd, "fred:{PLAIN}x\n").unwrap();
    // Only root can do that.
    let _ = chown(&passwd, None, Some(65_534));
    std::fs::set_permissions(&passwd, std::fs::Permissions::from_mode(0o640)).unwrap();
    let disabled = DisabledUsers::new(Host::real(), &passwd);
    assert!(disabled.set(&Owner::new("fred").unwrap(), true).unwrap());
    let access = |path: &Path| {
        let metadata = std::fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid(), metadata.permissions().mode() & 0o777)
    };
    assert_eq!(access(disabled.path()), access(&passwd));
}

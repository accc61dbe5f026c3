//! Logins to a folder: `fred+Lists` is fred, with fred's password, reading the folder Lists.
//!
//! `login = user separator folder [ "@" domain ]`; everything before the first separator and the
//! domain behind the folder are the user's name. In: logins as clients send them. Out: logins
//! without a folder to the authenticator behind, and the owner it names, in that folder. Fails as
//! that one does; a folder that cannot be one is refused after the password was checked, so that
//! nobody learns anything by it.

use std::sync::Arc;

use restante_maildrop::{Account, AuthError, Authenticator, BoxFuture, Login, OwnTerms};
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::{ScramHash, ScramKeys};

/// Puts folders into the names that an authenticator takes.
#[derive(Debug)]
pub struct FolderLogins {
    authenticator: Arc<dyn Authenticator>,
    separator: char,
}

impl FolderLogins {
    /// Names with `separator` in them mean a folder; users who have it in their own name cannot
    /// log in any more.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>, separator: char) -> Self {
        Self { authenticator, separator }
    }

    /// The user's own name and the folder, if there is one in `name`.
    fn split(&self, name: &str) -> Option<(String, String)> {
        let (user, rest) = name.split_once(self.separator)?;
        match rest.rsplit_once('@') {
            // fred+Lists@example.org; fred@example.org+Lists has its domain already.
            Some((folder, domain)) if !user.contains('@') => {
                Some((format!("{user}@{domain}"), folder.to_owned()))
            }
            _ => Some((user.to_owned(), rest.to_owned())),
        }
    }
}

impl Authenticator for FolderLogins {
    fn authenticate<'a>(&'a self, login: &'a Login) -> BoxFuture<'a, Result<Account, AuthError>> {
        Box::pin(async move {
            let Some((user, folder)) = self.split(login.user()) else {
                return self.authenticator.authenticate(login).await;
            };
            let inner = match login {
                Login::Password { password, .. } => {
                    Login::Password { user, password: password.clone() }
                }
                Login::Proof { proven, .. } => Login::Proof { user, proven: *proven },
                Login::Digest { digest, .. } => Login::Digest { user, digest: digest.clone() },
                Login::Token { token, mechanism, host, port, .. } => Login::Token {
                    user: Some(user),
                    token: token.clone(),
                    mechanism: *mechanism,
                    host: host.clone(),
                    port: *port,
                },
                Login::Certificate { names, .. } => {
                    Login::Certificate { user: Some(user), names: names.clone() }
                }
                // A kind of login whose name is somebody else's to take apart.
                _ => return self.authenticator.authenticate(login).await,
            };
            let Account { owner, terms } = self.authenticator.authenticate(&inner).await?;
            let owner = owner.in_folder(&folder).map_err(|_| AuthError::Refused)?;
            Ok(Account { owner, terms })
        })
    }

    fn offers(&self) -> BoxFuture<'_, Offers> {
        self.authenticator.offers()
    }

    fn own_terms(&self) -> BoxFuture<'_, OwnTerms> {
        self.authenticator.own_terms()
    }

    fn scram_keys<'a>(
        &'a self,
        user: &'a str,
        hash: ScramHash,
    ) -> BoxFuture<'a, Result<ScramKeys, AuthError>> {
        Box::pin(async move {
            match self.split(user) {
                Some((user, _)) => self.authenticator.scram_keys(&user, hash).await,
                None => self.authenticator.scram_keys(user, hash).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use restante_maildrop::Owner;
    use restante_proto::Secret;

    use super::*;

    /// Lets everybody in whose password is "secret".
    #[derive(Debug)]
    struct Everybody;

    impl Authenticator for Everybody {
        fn authenticate<'a>(
            &'a self,
            login: &'a Login,
        ) -> BoxFuture<'a, Result<Account, AuthError>> {
            Box::pin(async move {
                match login {
                    Login::Password { user, password } if password.expose() == b"secret" => {
                        Owner::new(user).map(Account::from).map_err(|_| AuthError::Refused)
                    }
                    Login::Certificate { .. } => {
                        let user = login.certified_user().ok_or(AuthError::Refused)?;
                        Owner::new(user).map(Account::from).map_err(|_| AuthError::Refused)
                    }
                    Login::Proof { user, proven: true } => {
                        Owner::new(user).map(Account::from).map_err(|_| AuthError::Refused)
                    }
                    _ => Err(AuthError::Refused),
                }
            })
        }
    }

    #[tokio::test]
    async fn a_proof_is_the_users_own_in_every_folder() {
        let logins = FolderLogins::new(Arc::new(Everybody), '+');
        let proof = |proven| Login::Proof { user: "fred+Lists".to_owned(), proven };
        let owner = logins.authenticate(&proof(true)).await.unwrap().owner;
        assert_eq!((owner.as_str(), owner.folder()), ("fred", Some("Lists")));
        assert!(logins.authenticate(&proof(false)).await.is_err());
    }

    #[tokio::test]
    async fn s55_a_certificate_is_its_users_in_every_folder() {
        let logins = FolderLogins::new(Arc::new(Everybody), '+');
        for (given, certified, opens) in [
            (Some("fred+Lists"), "fred", true),
            (Some("anna+Lists"), "fred", false),
            (Some("fred+Lists"), "fred+Lists", false),
            // A certificate does not choose a folder, nor its user's by a name with a separator.
            (None, "fred+Lists", false),
            (None, "fred", true),
        ] {
            let (user, names) = (given.map(str::to_owned), vec![certified.to_owned()]);
            let owner = logins.authenticate(&Login::Certificate { user, names }).await;
            assert_eq!(owner.is_ok(), opens, "{given:?} {certified}");
        }
    }

    async fn log_in(name: &str, password: &str) -> Option<(String, Option<String>)> {
        let logins = FolderLogins::new(Arc::new(Everybody), '+');
        let password = Secret::new(password.as_bytes().to_vec());
        let login = Login::Password { user: name.to_owned(), password };
        let owner = logins.authenticate(&login).await.ok()?.owner;
        Some((owner.as_str().to_owned(), owner.folder().map(str::to_owned)))
    }

    #[tokio::test]
    async fn a_name_is_a_user_and_a_folder() {
        for (name, user, folder) in [
            ("fred", "fred", None),
            ("fred@example.org", "fred@example.org", None),
            ("fred+Lists", "fred", Some("Lists")),
            ("fred+Lists.rust", "fred", Some("Lists.rust")),
            ("fred+a+b", "fred", Some("a+b")),
            ("fred+Lists@example.org", "fred@example.org", Some("Lists")),
            ("fred@example.org+Lists", "fred@example.org", Some("Lists")),
            ("fred+inbox", "fred", None),
        ] {
            let expected = Some((user.to_owned(), folder.map(str::to_owned)));
            assert_eq!(log_in(name, "secret").await, expected, "{name}");
            assert_eq!(log_in(name, "wrong").await, None, "{name}");
        }
        for name in ["+Lists", "fred+", "fred+../x", "fred+.x", "fred+a..b", "fred+a/b", "fred+x."]
        {
            assert_eq!(log_in(name, "secret").await, None, "{name}");
        }
    }
}

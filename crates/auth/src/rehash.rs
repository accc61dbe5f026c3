//! Stored passwords are renewed when their users log in: only then is the password known.
//!
//! In: a password that was right, and the hash it fits. Out: another hash in its place, in the
//! passwd-file, and a line in the audit log. Off the login's path and one at a time, so that a
//! morning of logins does not hash twice as much; who comes while another is under way is renewed
//! at the next login. What fails is logged and tried again then.

use std::sync::Arc;

use restante_host::Host;
use restante_maildrop::Owner;
use restante_proto::Secret;
use tokio::sync::Semaphore;

use crate::{AuditLog, EditError, Hash, NewScheme, PasswdFile};

/// Renews stored passwords.
#[derive(Debug, Clone)]
pub struct Rehash(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    users: Vec<PasswdFile>,
    scheme: NewScheme,
    audit: AuditLog,
    /// Has one permit.
    turn: Arc<Semaphore>,
}

impl Rehash {
    /// Renews what the files hold that does not serve as `scheme`, and records that in `audit`.
    #[must_use]
    pub fn new(host: Host, users: Vec<PasswdFile>, scheme: NewScheme, audit: AuditLog) -> Self {
        Self(Arc::new(Inner { host, users, scheme, audit, turn: Arc::new(Semaphore::new(1)) }))
    }

    /// Begins to renew `stored`, which `password` fits, where that gains something. Returns at
    /// once. Needs a tokio runtime around it.
    pub(crate) fn begin(&self, owner: &Owner, stored: &Arc<Hash>, password: &Secret<Vec<u8>>) {
        if stored.serves_as(self.0.scheme) || !stored.knows_all_of(password.expose()) {
            return;
        }
        let Ok(turn) = Arc::clone(&self.0.turn).try_acquire_owned() else { return };
        let (inner, owner) = (Arc::clone(&self.0), owner.clone());
        let (stored, password) = (Arc::clone(stored), password.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = inner.renew(&owner, &stored, &password) {
                let user = owner.as_str();
                tracing::warn!(user, %error, "the stored password was not renewed");
            }
            drop(turn);
        });
    }
}

impl Inner {
    fn renew(
        &self,
        owner: &Owner,
        stored: &Hash,
        password: &Secret<Vec<u8>>,
    ) -> Result<(), EditError> {
        let renewed = Hash::create_as(self.scheme, &*self.host.rng, password.expose())?;
        let audit = self.audit.open()?;
        let (from, to) = (stored.scheme(), renewed.scheme());
        for users in &self.users {
            // Where the user is another database's, no file holds this hash.
            if users.exchange(owner, stored, &renewed)? {
                audit.record("rehash", owner.as_str(), &[("from", from), ("scheme", to)])?;
                tracing::info!(user = owner.as_str(), from, to, "renewed the stored password");
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OLD: &str = "$1$saltsalt$WLIl4oOuhokNRbREsKABJ1";
    const PASSWORD: &str = "pa55 wörd";

    fn rehash(folder: &Path, scheme: NewScheme) -> Rehash {
        let users = PasswdFile::new(Host::real(), folder.join("passwd"));
        let audit = AuditLog::new(Host::real(), folder.join("audit"), "test", 0, None);
        Rehash::new(Host::real(), vec![users], scheme, audit)
    }

    impl Rehash {
        /// Waits for the one that is under way.
        async fn done(&self) {
            drop(self.0.turn.acquire().await.unwrap());
        }
    }

    async fn renew(folder: &Path, scheme: NewScheme, stored: &str, password: &str) -> String {
        let rehash = rehash(folder, scheme);
        let stored = Arc::new(Hash::parse(stored).unwrap());
        let password = Secret::new(password.as_bytes().to_vec());
        rehash.begin(&Owner::new("fred").unwrap(), &stored, &password);
        rehash.done().await;
        std::fs::read_to_string(folder.join("passwd")).unwrap()
    }

    #[tokio::test]
    async fn a_weak_hash_is_renewed_and_nothing_else_changes() {
        use std::os::unix::fs::PermissionsExt as _;
        for (scheme, name) in [
            (NewScheme::Argon2id, "{ARGON2ID}$argon2id$"),
            (NewScheme::ScramSha256, "{SCRAM-SHA-256}4096,"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("passwd");
            let before =
                format!("# ours\r\nanna:{OLD}:::\nfred:{OLD}:1:2:::/bin/sh:x=y\nlast:{OLD}");
            std::fs::write(&path, &before).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let after = renew(dir.path(), scheme, OLD, PASSWORD).await;
            let field = after.split(':').nth(5).unwrap();
            assert!(field.starts_with(name), "{field}");
            assert!(Hash::parse(field).unwrap().verify(PASSWORD.as_bytes()));
            let expected = before.replacen(&format!("fred:{OLD}"), &format!("fred:{field}"), 1);
            assert_eq!(after, expected);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o640, "the group can still read it");
            let audit = std::fs::read_to_string(dir.path().join("audit")).unwrap();
            assert!(audit.contains("\"action\":\"rehash\"") && audit.contains("\"user\":\"fred\""));
            assert!(audit.contains("MD5-CRYPT") && !audit.contains("saltsalt"), "{audit}");
            // Once is enough.
            assert_eq!(renew(dir.path(), scheme, field, PASSWORD).await, after);
        }
    }

    #[tokio::test]
    async fn a_password_that_was_changed_meanwhile_stays_changed() {
        let dir = tempfile::tempdir().unwrap();
        let changed = "fred:{PLAIN}another:::\n";
        std::fs::write(dir.path().join("passwd"), changed).unwrap();
        assert_eq!(renew(dir.path(), NewScheme::Argon2id, OLD, PASSWORD).await, changed);
        assert_eq!(std::fs::read(dir.path().join("audit")).unwrap(), b"");
    }

    #[tokio::test]
    async fn a_password_of_which_bcrypt_knows_a_part_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let stored = bcrypt::hash("x".repeat(72), 4).unwrap();
        let contents = format!("fred:{stored}\n");
        std::fs::write(dir.path().join("passwd"), &contents).unwrap();
        let longer = "x".repeat(73);
        assert_eq!(renew(dir.path(), NewScheme::Argon2id, &stored, &longer).await, contents);
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let contents = format!("fred:{OLD}\n");
        std::fs::write(dir.path().join("passwd"), &contents).unwrap();
        std::fs::create_dir(dir.path().join("audit")).unwrap();
        assert_eq!(renew(dir.path(), NewScheme::Argon2id, OLD, PASSWORD).await, contents);
    }
}

//! The server's secret: 32 random octets in the data folder, made at first start.
//!
//! The salts of users whose stored passwords bring none follow from it, and those of users that do
//! not exist. It is worth nothing to who has the user database, and losing it costs nothing but
//! that these salts change once.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use restante_host::{Host, durable};
use restante_proto::Secret;
use tracing::warn;

/// The secret in the data folder, or, where none can be kept, one for this run.
pub(crate) fn load(host: &Host, data: &Path) -> anyhow::Result<Secret<[u8; OCTETS]>> {
    let path = data.join(NAME);
    match durable::read(&*host.fs, &path, OCTETS as u64) {
        Ok(octets) => {
            if let Ok(secret) = <[u8; OCTETS]>::try_from(octets) {
                return Ok(Secret::new(secret));
            }
            warn!(file = %path.display(), "not a secret of {OCTETS} octets; made a new one");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(file = %path.display(), %error, "cannot read the secret"),
    }
    let mut secret = [0; OCTETS];
    host.rng.fill(&mut secret).context("no randomness for the secret")?;
    if let Err(error) = durable::write(&*host.fs, &path, &secret, 0o600) {
        warn!(file = %path.display(), %error, "cannot keep the secret; it ends with this run");
    }
    Ok(Secret::new(secret))
}

/// Its name in the data folder.
const NAME: &str = "secret";
const OCTETS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_stays_and_a_broken_one_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::real();
        let made = load(&host, folder.path()).unwrap();
        assert_eq!(load(&host, folder.path()).unwrap(), made);
        for broken in [&b""[..], b"short", &[b'x'; 33]] {
            std::fs::write(folder.path().join(NAME), broken).unwrap();
            let anew = load(&host, folder.path()).unwrap();
            assert_ne!(anew, made);
            assert_eq!(load(&host, folder.path()).unwrap(), anew);
        }
        let nowhere = folder.path().join("nowhere");
        assert_ne!(load(&host, &nowhere).unwrap(), made);
    }
}

//! Passwords and tokens from where their owner keeps them.
//!
//! In: an account and its [`SecretSource`]. Out: the first line found there, without its line end.
//! The secret is never logged and never part of an error.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use restante_client::Credentials;
use restante_proto::Secret;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{Account, SecretSource, SignIn};

/// There is no password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("cannot read the password file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command cannot be run.
    #[error("cannot run the command {program:?} for the password or token")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command said that it failed.
    #[error("the command {program:?} for the password or token failed ({status})")]
    Failed {
        /// The program, without its arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The command took longer than the account's timeout.
    #[error("the command {program:?} for the password or token did not end in time")]
    Timeout {
        /// The program, without its arguments.
        program: String,
    },
    /// The first line is empty.
    #[error("the source of the password or token is empty")]
    Empty,
    /// What is there cannot be a token.
    #[error("the token source has something that is not a token")]
    NoToken,
    /// The keyring cannot be used.
    #[error("cannot read the password from the keyring: {0}")]
    Keyring(String),
}

impl PasswordError {
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// Reads what the account logs in with, and what its owner should know about where it lies.
pub(crate) async fn credentials(
    account: &Account,
) -> Result<(Credentials, Option<String>), PasswordError> {
    let user = account.user.clone();
    let (credentials, warning) = match &account.sign_in {
        SignIn::Password(source) => {
            let (password, warning) = read(source, account).await?;
            (Credentials::password(user, password), warning)
        }
        SignIn::Token(source) => {
            let (token, warning) = read(source, account).await?;
            let token = std::str::from_utf8(token.expose()).map_err(|_| PasswordError::NoToken)?;
            (Credentials::token(user, Secret::new(token.to_owned())), warning)
        }
        SignIn::Certificate => (Credentials::certificate(user), None),
    };
    let credentials = match account.mechanism {
        Some(floor) => credentials.at_least(floor),
        None => credentials,
    };
    Ok((credentials, warning))
}

async fn read(
    source: &SecretSource,
    account: &Account,
) -> Result<(Secret<Vec<u8>>, Option<String>), PasswordError> {
    let (text, warning) = match source {
        SecretSource::File(path) => {
            let text = read_file(path)
                .map_err(|source| PasswordError::File { path: path.clone(), source })?;
            (text, warn_if_shared(path))
        }
        SecretSource::Program(words) => {
            let (program, arguments) = words.split_first().ok_or(PasswordError::Empty)?;
            let mut command = Command::new(program);
            command.args(arguments);
            (run(command, program, account).await?, None)
        }
        SecretSource::Shell(line) => {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            (run(command, "sh", account).await?, None)
        }
        SecretSource::Keyring(service) => (keyring(service, &account.user).await?, None),
    };
    let line = text.split(|&octet| octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(PasswordError::Empty);
    }
    Ok((Secret::new(line.to_vec()), warning))
}

fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    // Anything else could keep us waiting for ever.
    if !std::fs::metadata(path)?.is_file() {
        let message = "it is not a regular file (password_command can read anything else)";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(TEXT_CAPACITY));
    std::fs::File::open(path)?.take(TEXT_OCTETS_MAX).read_to_end(&mut text)?;
    Ok(text)
}

fn warn_if_shared(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let shared = mode & 0o077 != 0;
    shared.then(|| format!("the password file {} can be read by others: chmod 600", path.display()))
}

async fn run(
    mut command: Command,
    program: &str,
    account: &Account,
) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    let failed = |source| PasswordError::Command { program: program.to_owned(), source };
    // Its complaints go where ours go: it may have to ask its user something.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let output = child.stdout.take();
    let ended = timeout(account.timeout(), async {
        let text = match output {
            Some(output) => read_output(output).await?,
            None => Zeroizing::new(Vec::new()),
        };
        Ok((text, child.wait().await?))
    });
    match ended.await {
        Err(_) => Err(PasswordError::Timeout { program: program.to_owned() }),
        Ok(Err(source)) => Err(failed(source)),
        Ok(Ok((_, status))) if !status.success() => {
            Err(PasswordError::Failed { program: program.to_owned(), status })
        }
        Ok(Ok((text, _))) => Ok(text),
    }
}

/// Reads to the end, so that the program is not stopped by a full pipe, and keeps the beginning.
async fn read_output(mut output: impl AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(TEXT_CAPACITY));
    (&mut output).take(TEXT_OCTETS_MAX).read_to_end(&mut text).await?;
    tokio::io::copy(&mut output, &mut tokio::io::sink()).await?;
    Ok(text)
}

#[cfg(feature = "keyring")]
async fn keyring(service: &str, user: &str) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    let (service, user) = (service.to_owned(), user.to_owned());
    // The keyring may ask its owner to unlock it, which takes as long as it takes.
    let read = tokio::task::spawn_blocking(move || {
        keyring::v1::Entry::new(&service, &user)?.get_password().map(String::into_bytes)
    });
    match read.await {
        Ok(Ok(password)) => Ok(Zeroizing::new(password)),
        Ok(Err(error)) => Err(PasswordError::Keyring(error.to_string())),
        Err(panic) => Err(PasswordError::Keyring(panic.to_string())),
    }
}

#[cfg(not(feature = "keyring"))]
#[expect(clippy::unused_async, reason = "the same signature with and without the feature")]
async fn keyring(_: &str, _: &str) -> Result<Zeroizing<Vec<u8>>, PasswordError> {
    let how = "this program was built without it (cargo build --features keyring)";
    Err(PasswordError::Keyring(how.to_owned()))
}

/// Passwords are short; the rest of a file is not read.
const TEXT_OCTETS_MAX: u64 = 64 * 1024;
/// Room for any password, so that no copy is left behind in freed memory by growing.
const TEXT_CAPACITY: usize = 4096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use restante_client::{Encryption, Endpoint};

    use super::*;
    use crate::Leave;

    async fn read_from(source: SecretSource) -> Result<(String, bool), PasswordError> {
        let mut endpoint = Endpoint::new("h", Encryption::Tls);
        endpoint.timeout = Duration::from_secs(5);
        let account = Account {
            name: "a".into(),
            endpoint,
            user: "fred".into(),
            sign_in: SignIn::Password(source.clone()),
            mechanism: None,
            leave: Leave::Always,
            largest_octets: None,
            maildir: PathBuf::new(),
        };
        let (password, warning) = read(&source, &account).await?;
        Ok((String::from_utf8(password.expose().clone()).unwrap(), warning.is_some()))
    }

    #[tokio::test]
    async fn the_first_line_counts_and_shared_files_are_warned_of() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for (text, mode, expected) in [
            (" p w \r\nsecond\n", 0o600, Some((" p w ", false))),
            ("pw", 0o640, Some(("pw", true))),
            ("\npw\n", 0o600, None),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = read_from(SecretSource::File(path.clone())).await.ok();
            assert_eq!(read, expected.map(|(text, warned)| (text.to_owned(), warned)));
        }
        for unreadable in ["/nonexistent", "/dev/zero", "/"] {
            let read = read_from(SecretSource::File(unreadable.into())).await;
            assert!(matches!(read, Err(PasswordError::File { .. })), "{unreadable}");
        }
    }

    #[tokio::test]
    async fn commands_run_with_and_without_a_shell() {
        let program = |words: &[&str]| {
            SecretSource::Program(words.iter().map(|&word| word.to_owned()).collect())
        };
        let shell = |line: &str| SecretSource::Shell(line.to_owned());
        assert_eq!(read_from(program(&["echo", "$HOME; x"])).await.unwrap().0, "$HOME; x");
        assert_eq!(read_from(shell("echo a; echo b")).await.unwrap().0, "a");
        // More than a pipe holds, and more than is kept.
        assert!(read_from(shell("yes pw | head -c 1000000")).await.is_ok());
        let failed = read_from(shell("echo pw; exit 3")).await;
        assert!(matches!(failed, Err(PasswordError::Failed { .. })));
        let missing = read_from(program(&["/nonexistent"])).await;
        assert!(matches!(missing, Err(PasswordError::Command { .. })));
        let empty = read_from(program(&["true"])).await;
        assert!(matches!(empty, Err(PasswordError::Empty)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_does_not_end_is_given_up() {
        let hung = read_from(SecretSource::Program(vec!["cat".into(), "/dev/zero".into()])).await;
        assert!(matches!(hung, Err(PasswordError::Timeout { .. })), "{hung:?}");
    }
}

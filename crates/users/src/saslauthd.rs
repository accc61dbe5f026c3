//! Users of the system, whom saslauthd checks by PAM.
//!
//! PAM's modules block, want to be root and are foreign code: they run in that process and not in
//! this one. A question is four texts (name, password, service, realm), the answer one that begins
//! with `OK` or `NO`; each is two octets of length, the higher first, and the text. In: names and
//! passwords. Out: whether they fit. `NO` is also what is said of a user that is none, and of a
//! service that does not exist. Fails when nobody answers.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use restante_auth::{Overview, Record, UserDatabase, Verdict};
use restante_maildrop::Owner;
use restante_proto::Secret;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::ANSWER_TIME;
use crate::name::is_canonical;

/// Users whom saslauthd checks.
#[derive(Debug)]
pub struct Saslauthd {
    socket: PathBuf,
    service: String,
}

impl Saslauthd {
    /// Those that it lets in on its `socket` for `service`, which is the name of a file in
    /// `/etc/pam.d`.
    #[must_use]
    pub const fn new(socket: PathBuf, service: String) -> Self {
        Self { socket, service }
    }

    fn ask(&self, user: &str, password: &[u8]) -> io::Result<bool> {
        let question = question(&[user.as_bytes(), password, self.service.as_bytes(), b""])?;
        let mut socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Connecting waits as long as writing.
        socket.set_write_timeout(Some(ANSWER_TIME))?;
        socket.set_read_timeout(Some(ANSWER_TIME))?;
        socket.connect(&SockAddr::unix(&self.socket)?)?;
        socket.write_all(question.expose())?;
        let mut length = [0; 2];
        socket.read_exact(&mut length)?;
        let mut answer = Vec::new();
        let length = u64::from(u16::from_be_bytes(length));
        socket.take(length).read_to_end(&mut answer)?;
        match answer.get(..2) {
            Some(b"OK") => Ok(true),
            Some(b"NO") => Ok(false),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "neither OK nor NO")),
        }
    }
}

impl UserDatabase for Saslauthd {
    fn name(&self) -> String {
        format!("{}, service {}", self.socket.display(), self.service)
    }

    fn find(&self, _user: &Owner) -> io::Result<Option<Record>> {
        // It speaks of nobody without a password.
        Ok(None)
    }

    fn log_in(&self, user: &Owner, password: &Secret<Vec<u8>>) -> io::Result<Verdict> {
        let password = password.expose();
        // PAM takes texts that end with NUL, and a module may take an empty one for none.
        if password.is_empty() || password.contains(&0) || !is_canonical(user.as_str()) {
            return Ok(Verdict::Unknown);
        }
        Ok(match self.ask(user.as_str(), password)? {
            true => Verdict::Right(user.clone().into()),
            false => Verdict::Unknown,
        })
    }

    fn overview(&self) -> io::Result<Overview> {
        Ok(Overview::of_verifier())
    }
}

fn question(texts: &[&[u8]]) -> io::Result<Secret<Vec<u8>>> {
    let mut question = Vec::with_capacity(1024);
    for text in texts {
        let length = u16::try_from(text.len()).map_err(io::Error::other)?;
        question.extend_from_slice(&length.to_be_bytes());
        question.extend_from_slice(text);
    }
    Ok(Secret::new(question))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// What becomes of a login that is answered so; nobody is there to answer without an answer.
    fn log_in(
        user: &str,
        password: &[u8],
        answer: Option<&[u8]>,
    ) -> (io::Result<Verdict>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mux");
        let listener = UnixListener::bind(&path).unwrap();
        let database = Saslauthd::new(path.clone(), "pop3".to_owned());
        let Some(answer) = answer else {
            drop(listener);
            std::fs::remove_file(path).unwrap();
            let owner = Owner::new(user).unwrap();
            return (database.log_in(&owner, &Secret::new(password.to_vec())), Vec::new());
        };
        std::thread::scope(|scope| {
            let serving = scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = vec![0; 2 + user.len() + 2 + password.len() + 2 + 4 + 2];
                stream.read_exact(&mut asked).unwrap();
                stream.write_all(answer).unwrap();
                asked
            });
            let owner = Owner::new(user).unwrap();
            let verdict = database.log_in(&owner, &Secret::new(password.to_vec()));
            (verdict, serving.join().unwrap())
        })
    }

    #[test]
    fn a_login_is_asked_as_it_is_and_ok_alone_lets_in() {
        let (verdict, asked) = log_in("fred", b"se cret\xff", Some(b"\0\x02OK"));
        assert!(matches!(verdict, Ok(Verdict::Right(_))));
        assert_eq!(asked, b"\0\x04fred\0\x08se cret\xff\0\x04pop3\0\0");
        for no in [&b"\0\x02NO"[..], b"\0\x0cNO OK for you"] {
            assert!(matches!(log_in("fred", b"x", Some(no)).0, Ok(Verdict::Unknown)), "{no:?}");
        }
        for broken in [&b""[..], b"\0", b"\0\x02", b"\0\0", b"\0\x02ok", b"\0\x01OK"] {
            assert!(log_in("fred", b"x", Some(broken)).0.is_err(), "{broken:?}");
        }
        assert!(log_in("fred", b"x", None).0.is_err());
    }

    #[test]
    fn what_pam_could_misread_is_asked_of_nobody() {
        for (user, password) in [("fred", &b""[..]), ("fred", b"a\0b"), ("Fred", b"x")] {
            assert!(matches!(log_in(user, password, None).0, Ok(Verdict::Unknown)), "{user}");
        }
    }
}

//! A new password from the terminal, unseen, or from standard input.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use anyhow::Context as _;
use restante_host::Rng;
use restante_proto::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Asks for a new password: twice on a terminal, or the first line of standard input.
pub(crate) fn ask(from_stdin: bool) -> anyhow::Result<Secret<Vec<u8>>> {
    if let Some(password) = piped(from_stdin)? {
        return Ok(password);
    }
    let unseen = Unseen::new().context("cannot hide the password on the terminal")?;
    let mut answers = Vec::new();
    for prompt in ["Password: ", "Once more: "] {
        answers.push(prompted(prompt)?);
    }
    drop(unseen);
    match (answers.pop(), answers.pop()) {
        (Some(one), Some(two)) if one == two => Ok(one),
        _ => anyhow::bail!("the two passwords differ"),
    }
}

/// Asks for a password that exists already: once on a terminal, or the first line of standard
/// input.
pub(crate) fn existing(from_stdin: bool) -> anyhow::Result<Secret<Vec<u8>>> {
    if let Some(password) = piped(from_stdin)? {
        return Ok(password);
    }
    let unseen = Unseen::new().context("cannot hide the password on the terminal")?;
    let password = prompted("Password: ")?;
    drop(unseen);
    Ok(password)
}

/// A password of 80 bits, in letters and digits that are not taken for each other.
pub(crate) fn random(rng: &dyn Rng) -> anyhow::Result<Secret<Vec<u8>>> {
    let mut octets = vec![0; 16];
    rng.fill(&mut octets).context("no randomness for a password")?;
    for octet in &mut octets {
        *octet = *LETTERS.get(usize::from(*octet & 31)).unwrap_or(octet);
    }
    Ok(Secret::new(octets))
}

/// The password from standard input; nothing if it is to be asked for on the terminal.
fn piped(from_stdin: bool) -> anyhow::Result<Option<Secret<Vec<u8>>>> {
    if from_stdin {
        let password = line().context("cannot read the password from standard input")?;
        return password.context("there is no password on standard input").map(Some);
    }
    if !io::stdin().is_terminal() {
        anyhow::bail!("standard input is no terminal; give the password with --password-stdin");
    }
    Ok(None)
}

/// The answer to a prompt on the terminal.
fn prompted(prompt: &str) -> anyhow::Result<Secret<Vec<u8>>> {
    let mut terminal = io::stderr().lock();
    terminal.write_all(prompt.as_bytes())?;
    terminal.flush()?;
    let answer = line().context("cannot read the password")?;
    terminal.write_all(b"\n")?;
    answer.context("no password was given")
}

/// A line of standard input without its end; nothing when there is none.
fn line() -> io::Result<Option<Secret<Vec<u8>>>> {
    // Of its final size from the start: a buffer that grows leaves copies behind.
    let mut octets = Vec::with_capacity(LINE_OCTETS_MAX);
    let limited = &mut io::stdin().lock().take(LINE_OCTETS_MAX as u64);
    let read = limited.read_until(b'\n', &mut octets)?;
    if octets.last() == Some(&b'\n') {
        octets.pop();
        if octets.last() == Some(&b'\r') {
            octets.pop();
        }
    }
    let line = Secret::new(octets);
    Ok((read > 0).then_some(line))
}

/// Keeps the terminal from showing what is typed, until dropped.
struct Unseen(Termios);

impl Unseen {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // Nothing else can be done when the terminal has gone away.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LINE_OCTETS_MAX: usize = 4096;

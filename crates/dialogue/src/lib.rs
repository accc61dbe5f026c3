//! Protocol dialogues as data, for tests: `.pop` files, read once and run wherever a server
//! speaks (on the bare session in any chunking, over TCP, over TLS).
//!
//! ```text
//! # What the dialogue shows; the requirement it is named after.
//! @tls available            none | available | active; default active
//! @cleartext                logins are taken without TLS
//! @scram                    SCRAM is offered; salt "salt", 1 iteration
//! @digests                  CRAM-MD5 and APOP are offered
//! @tokens                   tokens are taken; "letmein" is fred's
//! @certificate fred         the client shows a valid certificate of that name, or of none
//! @message A: b\n\nbody\n    a message in the maildrop of the user "fred", password "secret"
//! @gone 2                   that message vanishes while the session is open
//! @stuck                    the commit at QUIT fails
//! @strict                   only what the RFCs have is taken
//! @last                     LAST is answered
//! @login-delay 300          seconds from a login to the next
//! @expire 30                days a message is kept
//! @download-once            what was retrieved is deleted at QUIT
//! @language es              what LANG * asks for
//! @without-utf8 refuse      raw | downgrade | refuse: of messages with UTF-8 in their headers
//! S: +OK *                  what the server says; a trailing * stands for any text
//! C: STAT                   a line the client sends, with CRLF
//! C~ STAT\n                 octets the client sends as they are
//! TLS                       the handshake of STLS happens here
//! CLOSED                    the server closes the connection
//! ```
//! `\r \n \t \0 \\ \xNN` are escapes everywhere. Bad files panic: they are a defect of the test.
#![expect(clippy::panic, reason = "a test's own data: a fault in it must stop the test")]

use std::fs;
use std::path::Path;

/// A dialogue and the office it happens in.
#[derive(Debug, Clone, Default)]
pub struct Dialogue {
    /// The file's name without `.pop`.
    pub name: String,
    /// TLS before the first command.
    pub tls: Tls,
    /// Whether logins are taken without TLS.
    pub cleartext: bool,
    /// Whether SCRAM is offered.
    pub scram: bool,
    /// Whether CRAM-MD5 and APOP are offered.
    pub digests: bool,
    /// Whether OAUTHBEARER and XOAUTH2 are offered.
    pub tokens: bool,
    /// The names in the certificate that the client shows, if it shows one.
    pub certificate: Option<Vec<String>>,
    /// The messages in the maildrop.
    pub messages: Vec<Vec<u8>>,
    /// Numbers of messages that vanish while the session is open.
    pub gone: Vec<u32>,
    /// Whether the commit fails.
    pub stuck: bool,
    /// Whether only what the RFCs have is taken.
    pub strict: bool,
    /// Whether `LAST` is answered.
    pub last: bool,
    /// Seconds from a login to the next.
    pub login_delay_s: Option<u64>,
    /// Days a message is kept.
    pub expire_days: Option<u64>,
    /// Whether what was retrieved is deleted at `QUIT`.
    pub download_once: bool,
    /// What a client gets of a message with UTF-8 in its headers if it did not ask for that.
    pub without_utf8: WithoutUtf8,
    /// What `LANG *` asks for.
    pub language: Option<String>,
    /// What is said, cut where TLS starts.
    pub parts: Vec<Part>,
    /// Whether the server closes the connection at the end.
    pub closed: bool,
}

/// A connection's standing towards TLS when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// There is no certificate.
    None,
    /// `STLS` may start it.
    Available,
    /// It is up.
    #[default]
    Active,
}

/// What becomes of messages with UTF-8 in their headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutUtf8 {
    /// They are sent as they are.
    #[default]
    Raw,
    /// Their surrogates are sent.
    Downgrade,
    /// They are refused.
    Refuse,
}

/// What is said on one side of a TLS handshake.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// The turns, in order; the first may begin with the server's greeting.
    pub turns: Vec<Turn>,
}

/// The client speaks, then the server.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Octets the client sends.
    pub client: Vec<u8>,
    /// Lines the server answers, without their CRLF.
    pub server: Vec<Pattern>,
}

/// An expected line; a trailing `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<u8>);

impl Dialogue {
    /// Reads all `.pop` files of a folder, in the order of their names.
    ///
    /// # Panics
    /// When there are none, or one is malformed.
    #[must_use]
    pub fn read_all(folder: &Path) -> Vec<Self> {
        let entries = fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pop"));
        let mut dialogues: Vec<_> = entries.map(|path| Self::read(&path)).collect();
        assert!(!dialogues.is_empty(), "no dialogues in {}", folder.display());
        dialogues.sort_by(|a, b| a.name.cmp(&b.name));
        dialogues
    }

    fn read(path: &Path) -> Self {
        let text =
            fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut dialogue = Self { name, parts: vec![Part::default()], ..Self::default() };
        for (index, line) in text.lines().enumerate() {
            if !dialogue.line(line) {
                panic!("{}:{}: not a dialogue line: {line}", path.display(), index + 1);
            }
        }
        dialogue
    }

    fn line(&mut self, line: &str) -> bool {
        let Some(part) = self.parts.last_mut() else { return false };
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" => rest.is_empty(),
            "#" => true,
            "@tls" => {
                self.tls = match rest {
                    "none" => Tls::None,
                    "available" => Tls::Available,
                    "active" => Tls::Active,
                    _ => return false,
                };
                true
            }
            "@cleartext" => {
                self.cleartext = true;
                true
            }
            "@scram" => {
                self.scram = true;
                true
            }
            "@digests" => {
                self.digests = true;
                true
            }
            "@tokens" => {
                self.tokens = true;
                true
            }
            "@certificate" => {
                let names = self.certificate.get_or_insert_default();
                names.extend((!rest.is_empty()).then(|| rest.to_owned()));
                true
            }
            "@message" => {
                self.messages.push(unescape(rest));
                true
            }
            "@gone" => {
                self.gone.extend(rest.parse::<u32>().ok());
                rest.parse::<u32>().is_ok()
            }
            "@stuck" => {
                self.stuck = true;
                true
            }
            "@strict" => {
                self.strict = true;
                true
            }
            "@last" => {
                self.last = true;
                true
            }
            "@login-delay" => {
                self.login_delay_s = rest.parse().ok();
                self.login_delay_s.is_some()
            }
            "@expire" => {
                self.expire_days = rest.parse().ok();
                self.expire_days.is_some()
            }
            "@download-once" => {
                self.download_once = true;
                true
            }
            "@without-utf8" => {
                self.without_utf8 = match rest {
                    "raw" => WithoutUtf8::Raw,
                    "downgrade" => WithoutUtf8::Downgrade,
                    "refuse" => WithoutUtf8::Refuse,
                    _ => return false,
                };
                true
            }
            "@language" => {
                self.language = Some(rest.to_owned());
                true
            }
            "C:" => {
                part.client([&unescape(rest)[..], b"\r\n"].concat());
                true
            }
            "C~" => {
                part.client(unescape(rest));
                true
            }
            "S:" => {
                part.server(Pattern(unescape(rest)));
                true
            }
            "TLS" => {
                self.parts.push(Part::default());
                true
            }
            "CLOSED" => {
                self.closed = true;
                true
            }
            _ => false,
        }
    }
}

impl Part {
    /// Everything the client says, in one piece.
    #[must_use]
    pub fn client_octets(&self) -> Vec<u8> {
        self.turns.iter().flat_map(|turn| turn.client.iter().copied()).collect()
    }

    /// Everything the server says.
    pub fn server_lines(&self) -> impl Iterator<Item = &Pattern> {
        self.turns.iter().flat_map(|turn| &turn.server)
    }

    fn client(&mut self, octets: Vec<u8>) {
        match self.turns.last_mut() {
            Some(turn) if turn.server.is_empty() => turn.client.extend(octets),
            _ => self.turns.push(Turn { client: octets, server: Vec::new() }),
        }
    }

    fn server(&mut self, pattern: Pattern) {
        match self.turns.last_mut() {
            Some(turn) => turn.server.push(pattern),
            None => self.turns.push(Turn { client: Vec::new(), server: vec![pattern] }),
        }
    }
}

impl Pattern {
    /// Whether a line, without its CRLF, is the expected one.
    #[must_use]
    pub fn fits(&self, line: &[u8]) -> bool {
        match self.0.strip_suffix(b"*") {
            Some(start) => line.starts_with(start),
            None => line == self.0,
        }
    }
}

/// Compares all a server said with the lines expected of it.
///
/// # Panics
/// At the first line that differs, is missing or is too many.
pub fn check<'a>(context: &str, said: &[u8], expected: impl IntoIterator<Item = &'a Pattern>) {
    let mut rest = said;
    for pattern in expected {
        let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") else {
            panic!("{context}: expected {pattern:?}, but the server said {}", rest.escape_ascii());
        };
        let (line, after) = rest.split_at(end);
        rest = after.get(2..).unwrap_or_default();
        assert!(
            pattern.fits(line),
            "{context}: expected \"{}\", but the server said \"{}\"",
            pattern.0.escape_ascii(),
            line.escape_ascii(),
        );
    }
    assert!(rest.is_empty(), "{context}: the server also said \"{}\"", rest.escape_ascii());
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'\\' {
            octets.push(first);
            continue;
        }
        let Some((&escape, tail)) = rest.split_first() else { panic!("a lone \\ in {text}") };
        rest = tail;
        octets.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = rest.get(..2).and_then(|digits| str::from_utf8(digits).ok());
                rest = rest.get(2..).unwrap_or_default();
                let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                octet.unwrap_or_else(|| panic!("\\x wants two hex digits in {text}"))
            }
            other => panic!("no such escape: \\{} in {text}", char::from(other)),
        });
    }
    octets
}

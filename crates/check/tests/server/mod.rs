//! A small POP3 server with USER/PASS, AUTH PLAIN, CAPA, TOP and UIDL, which can be given a flaw.
//! A thread for each connection; the maildrop is shared, locked by nobody.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use restante_proto::sasl;

/// What is wrong with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    LowerCase,
    CaseMatters,
    NoSpace,
    TwoErrorLines,
    LongErrors,
    CapaOnlyBefore,
    UidlOnlyBefore,
    OwnTag,
    DelayWithoutNumber,
    DelayNotKept,
    Unstuffed,
    BareLf,
    WrongSizes,
    MoreBehindStat,
    ZeroIsOne,
    TwoSpaces,
    SameIds,
    NewIds,
    LongIds,
    TopCountsTheHeader,
    TopNeedsNoNumbers,
    ServesBeforeLogin,
    PassWithoutUser,
    NameKept,
    NamesTold,
    NoAuthCode,
    EchoesBrackets,
    NoSpaceInChallenge,
    LaxBase64,
    AnyIdentity,
    OutOfTurn,
    MarkedStay,
    Renumbers,
    DeletesAtOnce,
    NeverDeletes,
}

/// A listening server; it goes with the process of the test.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
}

/// A message and its unique-id.
type Message = (&'static str, u32);

#[derive(Debug, Default)]
struct Drop {
    messages: Vec<Message>,
    sessions: u32,
    in_use: bool,
}

impl Server {
    pub(crate) fn start(flaw: Option<Flaw>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let messages = MESSAGES.into_iter().zip(1..).collect();
        let drop = Arc::new(Mutex::new(Drop { messages, ..Drop::default() }));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let drop = Arc::clone(&drop);
                std::thread::spawn(move || {
                    let mut session = Session::new(stream, flaw, drop);
                    // That the client is gone ends the session, and nothing else.
                    let _ = session.run();
                    session.release();
                });
            }
        });
        Self { port }
    }
}

struct Session {
    reader: BufReader<TcpStream>,
    flaw: Option<Flaw>,
    drop: Arc<Mutex<Drop>>,
    user: Option<String>,
    logged_in: bool,
    messages: Vec<Message>,
    marks: Vec<bool>,
    number: u32,
}

impl Session {
    fn new(stream: TcpStream, flaw: Option<Flaw>, drop: Arc<Mutex<Drop>>) -> Self {
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream);
        let (messages, marks) = (Vec::new(), Vec::new());
        Self { reader, flaw, drop, user: None, logged_in: false, messages, marks, number: 0 }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.reader.get_mut().write_all(text.as_bytes())
    }

    fn ok(&mut self, text: &str) -> std::io::Result<()> {
        match self.flaw {
            Some(Flaw::LowerCase) if text == "here" => self.say("+ok here\r\n"),
            Some(Flaw::NoSpace) if text == "here" => self.say("+OK\r\n"),
            _ => self.say(&format!("+OK {text}\r\n")),
        }
    }

    fn err(&mut self, text: &str) -> std::io::Result<()> {
        match self.flaw {
            Some(Flaw::TwoErrorLines) => self.say(&format!("-ERR {text}\r\n-ERR no\r\n")),
            Some(Flaw::LongErrors) => self.say(&format!("-ERR {}\r\n", text.repeat(200))),
            _ => self.say(&format!("-ERR {text}\r\n")),
        }
    }

    fn run(&mut self) -> std::io::Result<()> {
        self.ok("ready")?;
        loop {
            let Some(line) = self.line()? else { return Ok(()) };
            if line.len() > 255 {
                self.err("too long")?;
                continue;
            }
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let upper = verb.to_ascii_uppercase();
            let verb = if self.is(Flaw::CaseMatters) { verb } else { &upper };
            if verb == "QUIT" {
                self.quit()?;
                return Ok(());
            }
            if self.logged_in {
                self.transaction(verb, rest)?;
            } else {
                self.authorization(verb, rest)?;
            }
        }
    }

    /// The next line; nothing at the end of the connection.
    fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        let limit = 64 * 1024;
        (&mut self.reader).take(limit).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line).into_owned();
        Ok(text.strip_suffix("\r\n").map(str::to_owned))
    }

    fn capa(&mut self) -> std::io::Result<()> {
        let uidl = if self.logged_in && self.is(Flaw::UidlOnlyBefore) { "" } else { "UIDL\r\n" };
        let own = match self.flaw {
            Some(Flaw::OwnTag) => "BELLS\r\n",
            Some(Flaw::DelayWithoutNumber) => "LOGIN-DELAY soon\r\n",
            Some(Flaw::DelayNotKept) => "LOGIN-DELAY 1\r\n",
            _ => "",
        };
        self.say(&format!(
            "+OK list\r\nTOP\r\n{own}{uidl}USER\r\nSASL PLAIN\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n\
             PIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION Test\r\n.\r\n"
        ))
    }

    fn authorization(&mut self, verb: &str, rest: &str) -> std::io::Result<()> {
        let user = if self.is(Flaw::NameKept) { self.user.clone() } else { self.user.take() };
        match verb {
            "CAPA" => self.capa(),
            "USER" if rest.starts_with('[') && self.is(Flaw::EchoesBrackets) => self.ok(rest),
            "USER" if rest.starts_with("zz") && self.is(Flaw::NamesTold) => self.err("who?"),
            "USER" => {
                self.user = Some(rest.to_owned());
                self.ok("send PASS")
            }
            "PASS" if self.is(Flaw::PassWithoutUser) => {
                self.login(&user.unwrap_or_else(|| "fred".into()), rest)
            }
            "PASS" => match user {
                Some(user) => self.login(&user, rest),
                None => self.err("USER first"),
            },
            "AUTH" => self.auth(rest),
            "STAT" if self.is(Flaw::ServesBeforeLogin) => self.ok("0 0"),
            _ => self.err("no"),
        }
    }

    fn auth(&mut self, rest: &str) -> std::io::Result<()> {
        let response = match rest.split_once(' ') {
            Some(("PLAIN", initial)) => initial.to_owned(),
            None if rest == "PLAIN" => {
                let challenge = if self.is(Flaw::NoSpaceInChallenge) { "+\r\n" } else { "+ \r\n" };
                self.say(challenge)?;
                self.line()?.unwrap_or_default()
            }
            _ => return self.err("no such mechanism"),
        };
        let response = if self.is(Flaw::LaxBase64) {
            response.replace(|c: char| !c.is_ascii_alphanumeric(), "")
        } else {
            response
        };
        // Lax readers pad themselves.
        let padded = format!("{response}{}", "=".repeat((4 - response.len() % 4) % 4));
        let response = if self.is(Flaw::LaxBase64) { padded } else { response };
        let Ok(decoded) = sasl::decode(response.as_bytes()) else { return self.err("no base64") };
        let text = String::from_utf8_lossy(decoded.expose()).into_owned();
        let fields: Vec<_> = text.split('\0').collect();
        match fields.as_slice() {
            [identity, user, password]
                if identity.is_empty() || identity == user || self.is(Flaw::AnyIdentity) =>
            {
                self.login(user, password)
            }
            _ => self.err("no"),
        }
    }

    fn login(&mut self, user: &str, password: &str) -> std::io::Result<()> {
        if (user, password) != ("fred", super::PASSWORD) {
            let code = if self.is(Flaw::NoAuthCode) { "" } else { "[AUTH] " };
            return self.err(&format!("{code}wrong name or password"));
        }
        {
            let mut drop = self.drop.lock().unwrap();
            if drop.in_use {
                std::mem::drop(drop);
                return self.err("[IN-USE] there is a session");
            }
            drop.in_use = true;
            drop.sessions += 1;
            self.number = drop.sessions;
            self.messages.clone_from(&drop.messages);
        }
        self.marks = vec![false; self.messages.len()];
        self.logged_in = true;
        self.ok("welcome")
    }

    fn transaction(&mut self, verb: &str, rest: &str) -> std::io::Result<()> {
        let left = || self.marks.iter().enumerate().filter(|(_, mark)| !**mark);
        match (verb, rest) {
            ("CAPA", _) if self.is(Flaw::CapaOnlyBefore) => self.err("no"),
            ("CAPA", _) => self.capa(),
            ("NOOP", _) => {
                // A reply that overtakes: that to the next command comes first.
                if self.is(Flaw::OutOfTurn) && !self.reader.buffer().is_empty() {
                    return self.err("busy");
                }
                self.ok("here")
            }
            ("STAT", _) => {
                let octets: usize = left().map(|(index, _)| self.octets(index)).sum();
                let more = if self.is(Flaw::MoreBehindStat) { " more" } else { "" };
                self.ok(&format!("{} {octets}{more}", left().count()))
            }
            ("LIST" | "UIDL", "") => {
                let lines: String = left().map(|(index, _)| self.item(verb, index)).collect();
                self.say(&format!("+OK list\r\n{lines}.\r\n"))
            }
            ("RSET", "") => {
                self.marks.fill(false);
                self.ok("reset")
            }
            ("LIST" | "UIDL" | "RETR" | "DELE", _) => match self.find(rest) {
                None => self.err("no such message"),
                Some(index) => self.one(verb, index),
            },
            ("TOP", "") if self.is(Flaw::TopNeedsNoNumbers) => self.body(0, Some(0)),
            ("TOP", _) => {
                let (number, lines) = rest.split_once(' ').unwrap_or((rest, ""));
                match (self.find(number), lines.parse()) {
                    (Some(index), Ok(lines)) => self.body(index, Some(lines)),
                    _ => self.err("no"),
                }
            }
            _ => self.err("no"),
        }
    }

    fn one(&mut self, verb: &str, index: usize) -> std::io::Result<()> {
        match verb {
            "RETR" => self.body(index, None),
            "DELE" if self.is(Flaw::DeletesAtOnce) => {
                let gone = self.messages.remove(index);
                self.marks.remove(index);
                self.drop.lock().unwrap().messages.retain(|message| *message != gone);
                self.ok("gone")
            }
            "DELE" if self.is(Flaw::Renumbers) => {
                self.messages.remove(index);
                self.marks.remove(index);
                self.ok("gone")
            }
            "DELE" => {
                self.marks[index] = true;
                self.ok("marked")
            }
            _ => {
                let item = self.item(verb, index);
                self.say(&format!("+OK {item}"))
            }
        }
    }

    /// A line of LIST or UIDL.
    fn item(&self, verb: &str, index: usize) -> String {
        let number = index + 1;
        if verb == "LIST" {
            let space = if self.is(Flaw::TwoSpaces) { "  " } else { " " };
            return format!("{number}{space}{}\r\n", self.octets(index));
        }
        let id = self.messages[index].1;
        match self.flaw {
            Some(Flaw::SameIds) => format!("{number} same\r\n"),
            Some(Flaw::NewIds) => format!("{number} {id}-{}\r\n", self.number),
            Some(Flaw::LongIds) => format!("{number} {}\r\n", "x".repeat(71)),
            _ => format!("{number} id{id}\r\n"),
        }
    }

    fn octets(&self, index: usize) -> usize {
        self.messages[index].0.len() + usize::from(self.is(Flaw::WrongSizes))
    }

    /// The index of a message that is there and not marked.
    fn find(&self, number: &str) -> Option<usize> {
        if number.starts_with('+') {
            return None;
        }
        let number: usize = number.parse().ok()?;
        let index = match number.checked_sub(1) {
            None if self.is(Flaw::ZeroIsOne) => 0,
            other => other?,
        };
        let marked = *self.marks.get(index)?;
        (!marked || self.is(Flaw::MarkedStay)).then_some(index)
    }

    fn body(&mut self, index: usize, body_lines: Option<usize>) -> std::io::Result<()> {
        let mut said = String::from("+OK message\r\n");
        let mut left = body_lines.unwrap_or(usize::MAX);
        let mut in_header = !self.is(Flaw::TopCountsTheHeader);
        for line in self.messages[index].0.split_inclusive("\r\n") {
            if !in_header {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            in_header &= line != "\r\n";
            if line.starts_with('.') && (!self.is(Flaw::Unstuffed) || line == ".\r\n") {
                said.push('.');
            }
            said.push_str(line);
        }
        if self.is(Flaw::BareLf) {
            said = said.replace("one\r\n", "one\n");
        }
        said.push_str(".\r\n");
        self.say(&said)
    }

    fn quit(&mut self) -> std::io::Result<()> {
        if self.logged_in && !self.is(Flaw::NeverDeletes) {
            let marked: Vec<_> =
                self.messages.iter().zip(&self.marks).filter(|(_, mark)| **mark).collect();
            let mut drop = self.drop.lock().unwrap();
            drop.messages.retain(|kept| !marked.iter().any(|(message, _)| *message == kept));
        }
        self.release();
        self.ok("bye")
    }

    /// Lets the next session have the maildrop.
    fn release(&mut self) {
        if std::mem::take(&mut self.logged_in) {
            self.drop.lock().unwrap().in_use = false;
        }
    }
}

const MESSAGES: [&str; 8] = [
    "From: a@b\r\nSubject: to be marked\r\n\r\nx\r\n",
    "From: a@b\r\nSubject: to be marked, too\r\n\r\nxy\r\n",
    "From: a@b\r\nSubject: to be marked as well\r\n\r\nxyz\r\n",
    "From: a@b\r\nSubject: the fourth\r\n\r\nxyzzy\r\n",
    "From: a@b\r\nSubject: one\r\n\r\none\r\ntwo\r\nthree\r\n",
    "From: a@b\r\nSubject: dots\r\n\r\n.\r\n..\r\n.x\r\nend\r\n",
    "From: a@b\r\n\r\none\r\n.two\r\nthree\r\nfour\r\nfive\r\n",
    "From: a@b\r\nSubject: last\r\n\r\nlast\r\n",
];

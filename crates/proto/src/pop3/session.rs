//! The server's side of a POP3 connection (RFC 1939, 2449, 2595, 3206, 5034, 6856) as a state machine.
//!
//! In: the client's bytes ([`Session::handle_bytes`]), answers to what the session asked
//! ([`Session::handle_answer`]), and time. Out: [`Action`]s, to be carried out in order, one
//! after the other, until [`Session::poll_action`] has none left; only then are more bytes read,
//! so that a client that does not read its replies is not read from either. At most one question
//! is open at a time. Nothing here fails: what the client gets wrong is answered with `-ERR`, and
//! what cannot be answered closes the connection.
//!
//! ```text
//! greeting -> AUTHORIZATION --login, maildrop opened--> TRANSACTION --QUIT--> commit -> close
//!             AUTHORIZATION --STLS--> TLS, and a new session: nothing learnt before survives
//! any end but QUIT in TRANSACTION: close, and nothing is removed
//! ```

mod authorization;
mod international;

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use zeroize::Zeroize;

use super::command::{BadCommand, Command, Number};
use super::listing::{Listing, Table};
use super::opened::Opened;
use super::{Action, Answer, Ask, Closing, Language, Refusal, ResponseCode, Settings, Text};
use crate::line::{Line, Splitter};
use crate::sasl::scram::KeysWanted;
use crate::sasl::{self, Exchange, Mechanism};
use crate::{Extent, Form, MessageNumber};

/// The server's side of one connection. `B` is a message body, which passes through unseen.
pub struct Session<B> {
    settings: Settings,
    input: BytesMut,
    splitter: Splitter,
    /// How long the line may be that is coming in.
    line_octets_max: usize,
    phase: Phase,
    asked: Option<Asked>,
    listing: Option<Listing>,
    output: BytesMut,
    actions: VecDeque<Action<B>>,
    /// The time this session was told last.
    now: Instant,
    deadline: Instant,
    /// Whether the driver was given something to do that may have taken time.
    busy: bool,
    bad_commands: u32,
    /// Nonces that were given out.
    nonces: u64,
    /// What the greeting gave for `APOP`, where that is offered.
    stamp: Option<String>,
    /// Whether this connection began with this session, and not by `STLS`.
    greeted: bool,
    failed_logins: u32,
    /// What the client wants to be spoken to in.
    language: Language,
    /// Whether the client said `UTF8`.
    utf8: bool,
}

enum Phase {
    Authorization {
        user: Option<String>,
    },
    /// The client's response to the mechanism's challenge is awaited.
    Challenged(Exchange),
    /// A token was refused and the client told why; whatever it answers ends the login.
    TokenRefused(Refusal),
    Transaction(Opened),
    Closed,
}

/// The question that is out.
#[derive(Debug)]
enum Asked {
    Open,
    OpenByToken(Mechanism),
    Keys(KeysWanted),
    Body(MessageNumber, Extent),
    Commit { marked: usize },
    StartTls,
}

impl<B> Session<B> {
    /// A session on a new connection, which begins with a greeting.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        let mut session = Self::after_tls(settings, now);
        session.greet();
        session
    }

    /// A session on a connection that has just started TLS by `STLS`: no second greeting.
    #[must_use]
    pub fn after_tls(settings: Settings, now: Instant) -> Self {
        Self {
            deadline: later(now, settings.login_time),
            settings,
            input: BytesMut::new(),
            splitter: Splitter::default(),
            line_octets_max: COMMAND_OCTETS_MAX,
            phase: Phase::Authorization { user: None },
            asked: None,
            listing: None,
            output: BytesMut::new(),
            actions: VecDeque::new(),
            now,
            busy: false,
            bad_commands: 0,
            nonces: 0,
            stamp: None,
            greeted: false,
            failed_logins: 0,
            language: Language::default(),
            utf8: false,
        }
    }

    /// Takes bytes the client sent.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.now = now;
        if !matches!(self.phase, Phase::Closed) {
            self.input.extend_from_slice(bytes);
        }
    }

    /// Takes the answer to the open question; one nobody asked for is ignored.
    pub fn handle_answer(&mut self, answer: Answer<B>, now: Instant) {
        self.now = now;
        let Some(asked) = self.asked.take() else { return };
        match (asked, answer) {
            (Asked::Open | Asked::OpenByToken(_), Answer::Opened(snapshot, terms)) => {
                self.settings.terms = terms;
                let opened = Opened::new(self.shown(snapshot));
                let (messages, octets) = opened.totals();
                self.phase = Phase::Transaction(opened);
                self.bad_commands = 0;
                self.deadline = later(now, self.settings.idle_time);
                let values = [messages.to_string(), octets.to_string()];
                self.ok(Text::with("{} messages ({} octets)", values));
            }
            (Asked::Keys(wanted), Answer::ScramKeys(keys)) => self.sasl_step(wanted.go_on(keys)),
            (Asked::Body(number, extent), Answer::Body(body)) => {
                let mut form = Form::Original;
                if let Phase::Transaction(opened) = &self.phase {
                    form = opened.snapshot.form(number);
                }
                match (extent, &mut self.phase) {
                    (Extent::Whole, Phase::Transaction(opened)) => {
                        let octets = opened.octets(number);
                        opened.note_accessed(number);
                        if self.settings.download_once {
                            opened.note_retrieved(number);
                        }
                        self.ok(Text::with("{} octets", [octets.to_string()]));
                    }
                    _ => self.ok("Top of message follows"),
                }
                self.act(Action::SendBody { body, extent, form });
            }
            (Asked::Commit { marked }, Answer::Committed) => {
                self.ok(Text::with("Goodbye, {} messages deleted", [marked.to_string()]));
                self.close(Closing::Quit);
            }
            (Asked::Commit { .. }, Answer::Refused(refusal)) => {
                self.err(&refusal);
                self.close(Closing::CommitFailed);
            }
            (Asked::OpenByToken(mechanism), Answer::Refused(refusal))
                if refusal.code() == Some(ResponseCode::Auth) =>
            {
                let report = sasl::encode(sasl::report(mechanism).as_bytes());
                self.put(format_args!("+ {}\r\n", report.expose()));
                self.phase = Phase::TokenRefused(refusal);
            }
            (Asked::Open | Asked::Keys(_), Answer::Refused(refusal)) => self.login_failed(&refusal),
            (_, Answer::Refused(refusal)) => self.err(&refusal),
            (asked, _) => {
                debug_assert!(false, "an answer that does not fit {asked:?}");
                self.err(&Refusal::new(ResponseCode::SysTemp, "Internal error"));
            }
        }
    }

    /// Tells that time has passed. Past [`Session::poll_timeout`] the session ends: no bytes are
    /// sent and nothing is removed (RFC 1939 section 3).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            let reason = match self.phase {
                Phase::Transaction(_) => Closing::Idle,
                _ => Closing::LoginTimeout,
            };
            self.close(reason);
        }
    }

    /// What to do next; `None` until more bytes or an answer have come.
    pub fn poll_action(&mut self, now: Instant) -> Option<Action<B>> {
        self.now = now;
        if self.busy && matches!(self.phase, Phase::Transaction(_)) {
            // The time it took to send what was asked for is not the client's silence.
            self.deadline = later(now, self.settings.idle_time);
        }
        let action = self.next_action();
        self.busy = action.is_some();
        action
    }

    /// When [`Session::handle_timeout`] has to be called, unless bytes come first.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.asked.is_none() && !matches!(self.phase, Phase::Closed);
        waiting.then_some(self.deadline)
    }

    /// Whether the client has logged in.
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        matches!(self.phase, Phase::Transaction(_))
    }

    fn next_action(&mut self) -> Option<Action<B>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Some(action);
            }
            if self.listing.is_some() && self.output.len() < OUTPUT_OCTETS {
                self.continue_listing();
            }
            let input_waits = self.listing.is_some() || self.asked.is_some();
            if input_waits || self.output.len() >= OUTPUT_OCTETS || !self.handle_line() {
                break;
            }
        }
        (!self.output.is_empty()).then(|| Action::Send(self.output.split().freeze()))
    }

    /// Handles the next line, if there is a whole one.
    fn handle_line(&mut self) -> bool {
        let (challenged, beginning) = match self.phase {
            Phase::Closed => return false,
            Phase::Challenged(_) | Phase::TokenRefused(_) => (true, false),
            Phase::Authorization { .. } => (false, !self.settings.strict),
            Phase::Transaction(_) => (false, false),
        };
        if !self.is_logged_in() && self.input.first() == Some(&TLS_HANDSHAKE) {
            // A TLS client on the cleartext port: nothing we say would make sense to it.
            self.close(Closing::BadCommands);
            return true;
        }
        if self.splitter.discarded() == 0 {
            // RFC 5034 section 4 keeps an initial response within a command line; clients with
            // tokens send long ones all the same, which a strict listener does not take.
            let verb = self.input.get(..AUTH_VERB.len()).unwrap_or_default();
            let is_auth = beginning && verb.eq_ignore_ascii_case(AUTH_VERB);
            let long = challenged || is_auth;
            self.line_octets_max = if long { SASL_OCTETS_MAX } else { COMMAND_OCTETS_MAX };
        }
        let octets_max = self.line_octets_max;
        let endless = octets_max.saturating_add(DISCARDED_OCTETS_MAX);
        match self.splitter.next_line(&mut self.input, octets_max) {
            None => {
                let endless = self.splitter.discarded() > endless;
                if endless {
                    self.bad_line("Line too long");
                    self.close(Closing::BadCommands);
                }
                return endless;
            }
            Some(Line::TooLong { octets }) => {
                self.take_exchange();
                match self.take_token_refusal() {
                    Some(refusal) => self.login_failed(&refusal),
                    None => self.bad_line("Line too long"),
                }
                if octets > endless {
                    self.close(Closing::BadCommands);
                }
            }
            Some(Line::Whole(mut line)) if self.settings.strict && self.splitter.ended_bare() => {
                if challenged {
                    self.phase = Phase::Authorization { user: None };
                }
                self.bad_line("Lines end with CRLF");
                line.as_mut().zeroize();
            }
            Some(Line::Whole(mut line)) => {
                if self.is_logged_in() {
                    self.deadline = later(self.now, self.settings.idle_time);
                }
                if let Some(refusal) = self.take_token_refusal() {
                    self.login_failed(&refusal);
                } else if let Some(exchange) = self.take_exchange() {
                    self.sasl_response(exchange, &line);
                } else {
                    self.command_line(&line);
                }
                // It may have held a password.
                line.as_mut().zeroize();
            }
        }
        true
    }

    fn command_line(&mut self, line: &[u8]) {
        match Command::parse(line, self.settings.strict) {
            Ok(command) => self.command(command),
            Err(BadCommand::Unknown) => self.bad_line("Unknown command"),
            Err(BadCommand::Arguments(form)) => {
                self.bad_line(Text::with("Syntax: {}", [form.to_owned()]));
            }
            Err(BadCommand::Spacing) => self.bad_line("Syntax: one space before each argument"),
            Err(BadCommand::Nul) => {
                self.bad_line("A command cannot hold NUL");
                self.close(Closing::BadCommands);
            }
            Err(BadCommand::OtherProtocol) => self.close(Closing::BadCommands),
        }
    }

    fn command(&mut self, command: Command<'_>) {
        let bad_before = self.bad_commands;
        // PASS may only follow USER directly (RFC 1939 section 7): whatever comes between, the
        // name is forgotten.
        let named = match &mut self.phase {
            Phase::Authorization { user } => user.take(),
            _ => None,
        };
        match command {
            Command::Last if !self.settings.last => self.bad_line("Unknown command"),
            Command::Capa => self.capa(),
            Command::Quit => self.quit(),
            Command::Lang(range) => self.lang(range),
            Command::Utf8 => self.begin_utf8(),
            command if self.is_logged_in() => self.transaction(command),
            command => self.authorization(command, named),
        }
        if self.bad_commands == bad_before {
            self.bad_commands = 0;
        }
    }

    fn transaction(&mut self, command: Command<'_>) {
        match command {
            Command::Stat => {
                let Phase::Transaction(opened) = &self.phase else { return };
                let (messages, octets) = opened.totals();
                self.put(format_args!("+OK {messages} {octets}\r\n"));
            }
            Command::List(None) => self.list(Table::Octets),
            Command::Uidl(None) => self.list(Table::UniqueIds),
            Command::List(Some(number)) => self.list_one(Table::Octets, number),
            Command::Uidl(Some(number)) => self.list_one(Table::UniqueIds, number),
            Command::Retr(number) => self.body(number, Extent::Whole),
            Command::Top(number, lines) => match lines.parse() {
                Some(body_lines) => self.body(number, Extent::Top { body_lines }),
                None => self.err(&Refusal::plain("How many lines?")),
            },
            Command::Dele(number) => self.dele(number),
            Command::Noop => self.ok("Still here"),
            Command::Last => {
                let Phase::Transaction(opened) = &self.phase else { return };
                let highest = opened.highest_accessed();
                self.put(format_args!("+OK {highest}\r\n"));
            }
            Command::Rset => {
                let Phase::Transaction(opened) = &mut self.phase else { return };
                opened.reset();
                self.ok("No message is marked");
            }
            _ => self.bad_line("You are logged in already"),
        }
    }

    fn list(&mut self, table: Table) {
        self.ok("Listing follows");
        self.listing = Some(Listing::new(table));
    }

    fn continue_listing(&mut self) {
        let (Some(listing), Phase::Transaction(opened)) = (&mut self.listing, &self.phase) else {
            return;
        };
        let Opened { snapshot, marks, .. } = opened;
        if listing.write(snapshot, marks, &mut self.output, OUTPUT_OCTETS) {
            self.listing = None;
        }
    }

    fn list_one(&mut self, table: Table, number: Number<'_>) {
        match self.gate(number) {
            Ok(number) => {
                let Phase::Transaction(opened) = &self.phase else { return };
                self.output.extend_from_slice(b"+OK ");
                table.write_line(&opened.snapshot, number, &mut self.output);
            }
            Err(refusal) => self.err(&refusal),
        }
    }

    fn body(&mut self, number: Number<'_>, extent: Extent) {
        match self.gate(number).and_then(|number| self.readable(number)) {
            Ok(number) => self.ask(Asked::Body(number, extent), Ask::Body(number)),
            Err(refusal) => self.err(&refusal),
        }
    }

    fn dele(&mut self, number: Number<'_>) {
        match self.gate(number) {
            Ok(number) => {
                if let Phase::Transaction(opened) = &mut self.phase {
                    opened.mark(number);
                }
                self.ok("Marked; deleted at QUIT");
            }
            Err(refusal) => self.err(&refusal),
        }
    }

    fn gate(&self, number: Number<'_>) -> Result<MessageNumber, Refusal> {
        match &self.phase {
            Phase::Transaction(opened) => opened.gate(number),
            _ => Err(Refusal::plain("Log in first")),
        }
    }

    fn quit(&mut self) {
        if let Phase::Transaction(opened) = &mut self.phase {
            let marks = opened.take_marks();
            self.ask(Asked::Commit { marked: marks.len() }, Ask::Commit(marks));
        } else {
            self.ok("Goodbye");
            self.close(Closing::Quit);
        }
    }

    fn ok(&mut self, text: impl Into<Text>) {
        let text = text.into().said_in(self.language);
        self.put(format_args!("+OK {text}\r\n"));
    }

    fn err(&mut self, refusal: &Refusal) {
        let refusal = refusal.said_in(self.language);
        self.put(format_args!("-ERR {refusal}\r\n"));
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing into memory does not fail.
        let _ = self.output.write_fmt(text);
    }

    /// Refuses a line that no correct client sends here and ends a client that goes on so.
    fn bad_line(&mut self, text: impl Into<Text>) {
        self.err(&Refusal::plain(text));
        self.bad_commands = self.bad_commands.saturating_add(1);
        let max =
            if self.is_logged_in() { BAD_COMMANDS_MAX } else { BAD_COMMANDS_BEFORE_LOGIN_MAX };
        if self.bad_commands >= max {
            self.close(Closing::BadCommands);
        }
    }

    fn ask(&mut self, asked: Asked, ask: Ask) {
        self.asked = Some(asked);
        self.act(Action::Ask(ask));
    }

    fn close(&mut self, closing: Closing) {
        if !matches!(self.phase, Phase::Closed) {
            self.phase = Phase::Closed;
            self.listing = None;
            self.input.clear();
            self.act(Action::Close(closing));
        }
    }

    /// Queues an action behind what is to be sent before it.
    fn act(&mut self, action: Action<B>) {
        if !self.output.is_empty() {
            self.actions.push_back(Action::Send(self.output.split().freeze()));
        }
        self.actions.push_back(action);
    }
}

impl<B> fmt::Debug for Session<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Authorization { .. } | Phase::Challenged(_) | Phase::TokenRefused(_) => {
                "AUTHORIZATION"
            }
            Phase::Transaction(_) => "TRANSACTION",
            Phase::Closed => "closed",
        };
        write!(f, "Session({phase}, asked {:?})", self.asked)
    }
}

/// A time so far away that it cannot be named is never.
fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or_else(|| now.checked_add(NEVER).unwrap_or(now))
}

/// A command line with its CRLF (RFC 2449 section 4).
const COMMAND_OCTETS_MAX: usize = 255;
/// A SASL response line, or `AUTH` with an initial response: room for an OAuth token of 12 KiB
/// and what stands around it, in base64.
const SASL_OCTETS_MAX: usize = 18 * 1024;
const AUTH_VERB: &[u8] = b"AUTH ";
/// How much of a line without an end is thrown away before the connection is.
const DISCARDED_OCTETS_MAX: usize = 8 * 1024;
/// How much output is gathered into one `Send`.
const OUTPUT_OCTETS: usize = 16 * 1024;
/// Lines in a row that are no commands.
const BAD_COMMANDS_MAX: u32 = 20;
const BAD_COMMANDS_BEFORE_LOGIN_MAX: u32 = 10;
/// Wrong passwords on one connection.
const FAILED_LOGINS_MAX: u32 = 5;
/// The first octet of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

//! AUTHORIZATION: everything a client may say before it is logged in (RFC 1939 section 4, RFC 2449
//! section 5, RFC 2595, RFC 5034; RFC 6856 stands in
//! [`super::international`]). A part of the session: commands in, replies and questions out.

use super::super::command::Command;
use super::super::{Ask, Capability, Closing, Refusal, ResponseCode, Text, TlsState};
use super::{Asked, FAILED_LOGINS_MAX, Phase, Session};
use crate::Login;
use crate::sasl::{self, Context, Digest, Exchange, Fault, Mechanism, Step};

impl<B> Session<B> {
    /// Says the greeting, with a stamp where APOP can work (RFC 1939 section 7).
    pub(super) fn greet(&mut self) {
        self.greeted = true;
        if self.settings.offers.apop && self.takes_passwords() {
            let stamp = sasl::stamp(&self.nonce());
            self.ok(Text::with("Restante ready {}", [stamp.clone()]));
            self.stamp = Some(stamp);
        } else {
            self.ok("Restante ready");
        }
    }

    pub(super) fn authorization(&mut self, command: Command<'_>, named: Option<String>) {
        match (command, named) {
            (Command::User(_) | Command::Pass(_) | Command::Apop { .. }, _)
                if !self.takes_passwords() =>
            {
                self.err(&Refusal::plain(CLEARTEXT_REFUSED));
            }
            (Command::User(name), _) => {
                // Names that exist and names that do not are answered alike (section 13).
                let Some(name) = user_name(name) else {
                    self.err(&Refusal::plain("Not a valid user name"));
                    return;
                };
                self.phase = Phase::Authorization { user: Some(name) };
                self.ok("Send PASS");
            }
            (Command::Pass(password), Some(_)) if !sasl::is_password(password.expose()) => {
                let text = text_of(Fault::Password);
                self.login_failed(&Refusal::new(ResponseCode::Auth, text));
            }
            (Command::Pass(password), Some(user)) => {
                self.ask(Asked::Open, Ask::Open(Login::Password { user, password }));
            }
            (Command::Pass(_), None) => self.bad_line("PASS follows USER"),
            (Command::Apop { user, digest }, _) => match &self.stamp {
                Some(stamp) => {
                    let digest = Digest::apop(stamp, digest);
                    let Some(user) = user_name(user) else {
                        let text = text_of(Fault::Name);
                        self.login_failed(&Refusal::new(ResponseCode::Auth, text));
                        return;
                    };
                    self.ask(Asked::Open, Ask::Open(Login::Digest { user, digest }));
                }
                None => self.bad_line("APOP is not offered"),
            },
            (Command::Auth { mechanism: None, .. }, _) => self.list_mechanisms(),
            (Command::Auth { mechanism: Some(mechanism), initial }, _) => {
                self.auth(mechanism, initial);
            }
            (Command::Stls, _) => self.stls(),
            _ => self.bad_line("Log in first"),
        }
    }

    fn auth(&mut self, mechanism: &[u8], initial: Option<&[u8]>) {
        let Some(mechanism) = Mechanism::parse(mechanism).filter(|known| self.offers(*known))
        else {
            self.err(&Refusal::plain("No such mechanism"));
            return;
        };
        if !self.permits(mechanism) {
            self.err(&Refusal::plain(CLEARTEXT_REFUSED));
            return;
        }
        let binding = self.settings.channel_binding.clone();
        let certified = self.settings.certified.clone().unwrap_or_default();
        let context = Context { nonce: self.nonce(), binding, certified };
        let exchange = Exchange::new(mechanism, context);
        match initial {
            Some(_) if !mechanism.takes_initial_response() => {
                let text = Text::with("{} takes no initial response", [mechanism.to_string()]);
                self.err(&Refusal::plain(text));
            }
            // "=" is a response that is there but empty (RFC 5034 section 4).
            Some(b"=") => self.sasl_step(exchange.respond(b"")),
            Some(initial) => self.sasl_response(exchange, initial),
            None => self.sasl_step(exchange.challenge()),
        }
    }

    pub(super) fn sasl_response(&mut self, exchange: Exchange, line: &[u8]) {
        if line == b"*" {
            self.err(&Refusal::plain("Cancelled"));
        } else if let Ok(response) = sasl::decode(line) {
            self.sasl_step(exchange.respond(response.expose()));
        } else {
            self.err(&Refusal::plain("Not valid base64"));
        }
    }

    pub(super) fn sasl_step(&mut self, step: Step) {
        match step {
            Step::Challenge(challenge, exchange) => {
                let challenge = sasl::encode(challenge.expose());
                self.put(format_args!("+ {}\r\n", challenge.expose()));
                self.phase = Phase::Challenged(exchange);
            }
            Step::Keys(wanted) => {
                let ask = Ask::ScramKeys { user: wanted.user().to_owned(), hash: wanted.hash() };
                self.ask(Asked::Keys(wanted), ask);
            }
            Step::Login(login @ Login::Token { mechanism, .. }) => {
                self.ask(Asked::OpenByToken(mechanism), Ask::Open(login));
            }
            Step::Login(login) => self.ask(Asked::Open, Ask::Open(login)),
            Step::Refused(fault @ (Fault::OtherUser | Fault::Name | Fault::Password)) => {
                self.err(&Refusal::new(ResponseCode::Auth, text_of(fault)));
            }
            Step::Refused(fault) => self.err(&Refusal::plain(text_of(fault))),
        }
    }

    fn stls(&mut self) {
        match self.settings.tls {
            // RFC 6856 section 2.1: a client must not, and would lose what it asked for.
            TlsState::Available if self.utf8 => self.bad_line("STLS comes before UTF8"),
            TlsState::Available if self.input.is_empty() => {
                self.ok("Begin TLS");
                self.ask(Asked::StartTls, Ask::StartTls);
            }
            TlsState::Available => self.close(Closing::StlsInjection),
            TlsState::Active => self.bad_line("TLS is up already"),
            TlsState::Unavailable => self.bad_line("TLS is not available"),
        }
    }

    /// Takes the login out that waits for the client's response, and leaves none under way.
    pub(super) fn take_exchange(&mut self) -> Option<Exchange> {
        let begin = Phase::Authorization { user: None };
        match std::mem::replace(&mut self.phase, begin) {
            Phase::Challenged(exchange) => Some(exchange),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Takes out why a token was refused, once the client has answered the report of it.
    pub(super) fn take_token_refusal(&mut self) -> Option<Refusal> {
        let begin = Phase::Authorization { user: None };
        match std::mem::replace(&mut self.phase, begin) {
            Phase::TokenRefused(refusal) => Some(refusal),
            phase => {
                self.phase = phase;
                None
            }
        }
    }

    /// Says that a login was refused, and ends a client that goes on guessing.
    pub(super) fn login_failed(&mut self, refusal: &Refusal) {
        self.err(refusal);
        if refusal.code() == Some(ResponseCode::Auth) {
            self.failed_logins = self.failed_logins.saturating_add(1);
            if self.failed_logins >= FAILED_LOGINS_MAX {
                self.close(Closing::LoginsFailed);
            }
        }
    }

    pub(super) fn capa(&mut self) {
        self.ok("Capability list follows");
        // What is announced before the login is announced after it too, but STLS, which could not
        // be used any more (RFC 2449 section 5, RFC 2595 section 4).
        let mechanisms: Vec<_> = self.mechanisms().map(|known| known.name().to_owned()).collect();
        let sasl = (!mechanisms.is_empty()).then_some(Capability::Sasl(mechanisms));
        let user = self.takes_passwords().then_some(Capability::User);
        let terms = &self.settings.terms;
        // Before the login it is for whoever comes (RFC 2449 sections 6.5 and 6.7).
        let varies = !self.is_logged_in();
        let (days, per_user) = match self.settings.download_once {
            true => (Some(0), false),
            false => (terms.expire_days, varies && terms.expire_varies),
        };
        let expire = Capability::Expire { days, per_user };
        let per_user = varies && terms.login_delay_varies;
        let delay = terms.login_delay_s.map(|seconds| Capability::LoginDelay { seconds, per_user });
        let stls = self.settings.tls == TlsState::Available && !self.utf8 && !self.is_logged_in();
        let capabilities = [
            Some(Capability::Top),
            Some(Capability::Uidl),
            Some(Capability::RespCodes),
            Some(Capability::AuthRespCode),
            Some(Capability::Pipelining),
            Some(expire),
            delay,
            stls.then_some(Capability::Stls),
            user,
            sasl,
            Some(Capability::Utf8 { user: self.takes_passwords() }),
            Some(Capability::Lang),
            Some(Capability::Implementation("Restante".into())),
        ];
        for capability in capabilities.into_iter().flatten() {
            self.put(format_args!("{capability}\r\n"));
        }
        self.put(format_args!(".\r\n"));
    }

    /// Outlook asks for the mechanisms this way (MS-POP3 section 2.2.1).
    fn list_mechanisms(&mut self) {
        self.ok("Mechanisms follow");
        let mechanisms: Vec<_> = self.mechanisms().collect();
        for mechanism in mechanisms {
            self.put(format_args!("{mechanism}\r\n"));
        }
        self.put(format_args!(".\r\n"));
    }

    /// The mechanisms that can work here and now.
    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let usable = |known: &Mechanism| self.permits(*known) && self.offers(*known);
        Mechanism::ALL.into_iter().filter(usable)
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        // Like APOP, which has its stamp from a greeting, CRAM-MD5 is no more once STLS was used:
        // there is something better then.
        (self.greeted || mechanism != Mechanism::CramMd5)
            // RFC 8314 section 4.2: for who has shown a certificate, and nobody else.
            && (self.settings.certified.is_some() || mechanism != Mechanism::External)
            && self.settings.offers.include(mechanism, self.settings.channel_binding.is_some())
    }

    /// Whether the connection is safe enough for `mechanism`.
    fn permits(&self, mechanism: Mechanism) -> bool {
        self.settings.tls == TlsState::Active
            || (self.settings.allow_cleartext && !mechanism.needs_tls())
    }

    /// A new nonce of 144 bits. The seed is random and this session's alone.
    fn nonce(&mut self) -> String {
        self.nonces = self.nonces.saturating_add(1);
        sasl::nonce(&self.settings.seed, self.nonces)
    }

    fn takes_passwords(&self) -> bool {
        self.settings.allow_cleartext || self.settings.tls == TlsState::Active
    }
}

/// The name as it is compared (RFC 6856 section 2.2); nothing when it cannot be one.
fn user_name(name: &[u8]) -> Option<String> {
    str::from_utf8(name).ok().and_then(sasl::prepared_name)
}

/// What the client is told of its mistake.
fn text_of(fault: Fault) -> Text {
    match fault {
        Fault::Malformed(mechanism) => Text::with("Malformed {} message", [mechanism.to_string()]),
        Fault::Name => "Not a valid user name".into(),
        Fault::Password => "Not a valid password".into(),
        Fault::OtherUser => "Not allowed to act for another user".into(),
        Fault::ChannelBinding => "The channel binding does not fit this connection".into(),
        Fault::Downgrade => "Somebody between us hid that the server offers channel binding".into(),
    }
}

const CLEARTEXT_REFUSED: &str = "Use TLS first: STLS, or the POP3S port";

//! A post office around a bare session: answers what the session asks from a dialogue's maildrop.

use std::num::NonZero;
use std::time::{Duration, Instant};

use restante_dialogue::{Dialogue, Tls};
use restante_proto::dot::{Counter, Stuffer};
use restante_proto::pop3::{
    Action, Answer, Ask, Language, Refusal, ResponseCode, Session, Settings, Terms, TlsState,
    WithoutUtf8,
};
use restante_proto::sasl::Offers;
use restante_proto::sasl::scram::ScramKeys;
use restante_proto::surrogate::{Surrogate, SurrogateCounter};
use restante_proto::top::Cutter;
use restante_proto::{Extent, Form, Login, Secret, Snapshot, SnapshotBuilder, UniqueId};

/// Drives a session as a server would, with the maildrop of the dialogue.
pub(crate) struct Office<'a> {
    dialogue: &'a Dialogue,
    session: Session<usize>,
    pub(crate) said: Vec<u8>,
    pub(crate) closed: bool,
    now: Instant,
}

impl<'a> Office<'a> {
    pub(crate) fn new(dialogue: &'a Dialogue) -> Self {
        let now = now();
        let session = Session::new(settings(dialogue, dialogue.tls), now);
        let mut office = Self { dialogue, session, said: Vec::new(), closed: false, now };
        office.run();
        office
    }

    pub(crate) fn hear(&mut self, octets: &[u8]) {
        self.session.handle_bytes(octets, self.now);
        self.run();
    }

    /// Lets time pass; tells whether the session has closed.
    #[allow(dead_code, reason = "not every test needs it")]
    pub(crate) fn pass_seconds(&mut self, seconds: u64) -> bool {
        self.now += Duration::from_secs(seconds);
        self.session.handle_timeout(self.now);
        self.run();
        self.closed
    }

    fn run(&mut self) {
        while let Some(action) = self.session.poll_action(self.now) {
            assert!(!self.closed, "an action after the close");
            match action {
                Action::Send(octets) => self.said.extend_from_slice(&octets),
                Action::SendBody { body, extent, form } => self.send_body(body, extent, form),
                Action::Ask(Ask::StartTls) => {
                    let settings = settings(self.dialogue, Tls::Active);
                    self.session = Session::after_tls(settings, self.now);
                }
                Action::Ask(ask) => {
                    let answer = self.answer(&ask);
                    self.session.handle_answer(answer, self.now);
                }
                Action::Close(_) => self.closed = true,
            }
        }
    }

    fn answer(&self, ask: &Ask) -> Answer<usize> {
        match ask {
            Ask::Open(Login::Password { user, password }) => {
                if user == "fred" && password.expose() == b"secret" {
                    Answer::Opened(self.snapshot(), terms(self.dialogue))
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong user name or password"))
                }
            }
            Ask::Open(Login::Proof { user, proven }) => {
                if user == "fred" && *proven {
                    Answer::Opened(self.snapshot(), terms(self.dialogue))
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong user name or password"))
                }
            }
            Ask::Open(Login::Digest { user, digest }) => {
                if user == "fred" && digest.fits(b"secret") {
                    Answer::Opened(self.snapshot(), terms(self.dialogue))
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong user name or password"))
                }
            }
            Ask::Open(Login::Token { user, token, .. }) => {
                if user.as_deref().is_none_or(|user| user == "fred") && token.expose() == "letmein"
                {
                    Answer::Opened(self.snapshot(), terms(self.dialogue))
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong user name or password"))
                }
            }
            Ask::Open(login @ Login::Certificate { .. }) => {
                if login.certified_user() == Some("fred") {
                    Answer::Opened(self.snapshot(), terms(self.dialogue))
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong user name or password"))
                }
            }
            Ask::ScramKeys { user, hash } => {
                let password = if user == "fred" { "secret" } else { "nobody's" };
                let (salt, iterations) = (b"salt".to_vec(), NonZero::<u32>::MIN);
                let keys = ScramKeys::derive(*hash, password.as_bytes(), salt, iterations);
                Answer::ScramKeys(keys)
            }
            Ask::Body(number) if self.dialogue.gone.contains(&number.to_u32()) => Answer::Refused(
                Refusal::new(ResponseCode::SysTemp, "Another program removed this message"),
            ),
            Ask::Body(number) => Answer::Body(number.index()),
            Ask::Commit(_) if self.dialogue.stuck => Answer::Refused(Refusal::new(
                ResponseCode::SysTemp,
                "Some deleted messages were not removed",
            )),
            Ask::Commit(_) => Answer::Committed,
            other => panic!("{other:?} has no answer here"),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut builder = SnapshotBuilder::default();
        for (index, message) in self.dialogue.messages.iter().enumerate() {
            let mut counter = Counter::default();
            counter.push(message);
            let id = UniqueId::new(&format!("m{}", index + 1)).unwrap();
            builder.push(counter.finish(), &id).unwrap();
            let mut counter = SurrogateCounter::default();
            counter.push(message);
            counter.finish().into_iter().for_each(|octets| builder.surrogate(octets));
        }
        builder.finish()
    }

    fn send_body(&mut self, index: usize, extent: Extent, form: Form) {
        let mut message = self.dialogue.messages[index].clone();
        if form == Form::Surrogate {
            let (mut surrogate, mut out) = (Surrogate::default(), Vec::new());
            surrogate.push(&message, &mut out);
            surrogate.finish(&mut out);
            message = out;
        }
        let taken = Cutter::new(extent).take(&message);
        let mut stuffer = Stuffer::default();
        stuffer.push(&message[..taken], &mut self.said);
        stuffer.finish(&mut self.said);
    }
}

fn terms(dialogue: &Dialogue) -> Terms {
    let Dialogue { login_delay_s, expire_days, .. } = *dialogue;
    Terms { login_delay_s, expire_days, ..Terms::default() }
}

fn settings(dialogue: &Dialogue, tls: Tls) -> Settings {
    Settings {
        without_utf8: match dialogue.without_utf8 {
            restante_dialogue::WithoutUtf8::Raw => WithoutUtf8::Raw,
            restante_dialogue::WithoutUtf8::Downgrade => WithoutUtf8::Downgrade,
            restante_dialogue::WithoutUtf8::Refuse => WithoutUtf8::Refuse,
        },
        tls: match tls {
            Tls::None => TlsState::Unavailable,
            Tls::Available => TlsState::Available,
            Tls::Active => TlsState::Active,
        },
        allow_cleartext: dialogue.cleartext,
        offers: Offers {
            scram_sha_256: dialogue.scram,
            scram_sha_1: dialogue.scram,
            cram_md5: dialogue.digests,
            apop: dialogue.digests,
            tokens: dialogue.tokens,
        },
        channel_binding: None,
        certified: dialogue.certificate.clone().filter(|_| tls == Tls::Active),
        seed: Secret::new([0; 32]),
        strict: dialogue.strict,
        login_time: Duration::from_secs(180),
        idle_time: Duration::from_secs(600),
        last: dialogue.last,
        terms: terms(dialogue),
        download_once: dialogue.download_once,
        language: dialogue
            .language
            .as_deref()
            .map_or_else(Language::default, |tag| Language::matching(tag).unwrap()),
    }
}

#[expect(clippy::disallowed_methods, reason = "any instant will do: it stands still")]
fn now() -> Instant {
    Instant::now()
}

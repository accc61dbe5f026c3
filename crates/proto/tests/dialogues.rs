//! Every dialogue on the bare session: whole, octet by octet, and cut at every offset. What the
//! server says must not depend on how the client's octets arrive.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test stops where it fails"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use restante_dialogue::{Dialogue, Tls, check};
use restante_proto::dot::{Counter, Stuffer};
use restante_proto::pop3::{
    Action, Answer, Ask, Refusal, ResponseCode, Session, Settings, TlsState,
};
use restante_proto::top::Cutter;
use restante_proto::{Extent, Login, Snapshot, SnapshotBuilder, UniqueId};

/// Drives a session as a server would, with the maildrop of the dialogue.
struct Office<'a> {
    dialogue: &'a Dialogue,
    session: Session<usize>,
    said: Vec<u8>,
    closed: bool,
    now: Instant,
}

impl<'a> Office<'a> {
    fn new(dialogue: &'a Dialogue, now: Instant) -> Self {
        let session = Session::new(settings(dialogue, dialogue.tls), now);
        let mut office = Self { dialogue, session, said: Vec::new(), closed: false, now };
        office.run();
        office
    }

    fn hear(&mut self, octets: &[u8]) {
        self.session.handle_bytes(octets, self.now);
        self.run();
    }

    fn run(&mut self) {
        while let Some(action) = self.session.poll_action(self.now) {
            assert!(!self.closed, "an action after the close");
            match action {
                Action::Send(octets) => self.said.extend_from_slice(&octets),
                Action::SendBody { body, extent } => self.send_body(body, extent),
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
                    Answer::Opened(self.snapshot())
                } else {
                    Answer::Refused(Refusal::new(ResponseCode::Auth, "Wrong name or password"))
                }
            }
            Ask::Body(number) if self.dialogue.gone.contains(&number.to_u32()) => {
                Answer::Refused(Refusal::new(ResponseCode::SysTemp, "The message is gone"))
            }
            Ask::Body(number) => Answer::Body(number.index()),
            Ask::Commit(_) if self.dialogue.stuck => {
                Answer::Refused(Refusal::new(ResponseCode::SysTemp, "Not all were deleted"))
            }
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
        }
        builder.finish()
    }

    fn send_body(&mut self, index: usize, extent: Extent) {
        let message = &self.dialogue.messages[index];
        let taken = Cutter::new(extent).take(message);
        let mut stuffer = Stuffer::default();
        stuffer.push(&message[..taken], &mut self.said);
        stuffer.finish(&mut self.said);
    }
}

fn settings(dialogue: &Dialogue, tls: Tls) -> Settings {
    Settings {
        tls: match tls {
            Tls::None => TlsState::Unavailable,
            Tls::Available => TlsState::Available,
            Tls::Active => TlsState::Active,
        },
        allow_cleartext: dialogue.cleartext,
        login_time: Duration::from_secs(180),
        idle_time: Duration::from_secs(600),
    }
}

/// Runs a dialogue with the client's octets of each part cut into pieces.
fn run(dialogue: &Dialogue, how: &str, pieces: impl Fn(Vec<u8>) -> Vec<Vec<u8>>) {
    let mut office = Office::new(dialogue, now());
    for (number, part) in dialogue.parts.iter().enumerate() {
        pieces(part.client_octets()).iter().for_each(|piece| office.hear(piece));
        let said = std::mem::take(&mut office.said);
        check(&format!("{}, part {number}, {how}", dialogue.name), &said, part.server_lines());
    }
    assert_eq!(office.closed, dialogue.closed, "{}, {how}: closed", dialogue.name);
}

#[expect(clippy::disallowed_methods, reason = "any instant will do: it stands still")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn dialogues_hold_in_every_chunking() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    for dialogue in Dialogue::read_all(&folder) {
        run(&dialogue, "whole", |octets| vec![octets]);
        run(&dialogue, "octet by octet", |octets| octets.chunks(1).map(<[u8]>::to_vec).collect());
        let longest = dialogue.parts.iter().map(|part| part.client_octets().len()).max();
        let longest = longest.unwrap_or(0);
        // Cutting takes quadratic time: the few dialogues with very long lines are cut at some
        // hundred offsets spread over them.
        for at in (1..longest).step_by(longest.div_ceil(CUTS_MAX).max(1)) {
            run(&dialogue, &format!("cut at {at}"), |mut octets| {
                let rest = octets.split_off(at.min(octets.len()));
                vec![octets, rest]
            });
        }
    }
}

const CUTS_MAX: usize = 1500;

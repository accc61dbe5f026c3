//! Every dialogue of the protocol crate over TCP and TLS against the running server: turn by turn
//! as a polite client talks, and each part in one piece as a pipelining one does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::path::Path;
use std::time::Duration;

use restante_dialogue::{Dialogue, Part, Tls, check};
use restante_maildrop::Owner;
use restante_proto::pop3::{Language, WithoutUtf8};
use restante_server::Policy;

mod support;
use support::{Running, Setup, Stream, read_lines, read_to_end, send};

#[tokio::test]
async fn dialogues_hold_over_tcp_and_tls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/dialogues");
    for dialogue in Dialogue::read_all(&folder) {
        for pipelined in [false, true] {
            run(&dialogue, pipelined).await;
        }
    }
}

async fn run(dialogue: &Dialogue, pipelined: bool) {
    let policy = Policy {
        login_delay: Duration::from_secs(dialogue.login_delay_s.unwrap_or(0)),
        expire_days: dialogue.expire_days.unwrap_or(0).try_into().unwrap(),
        download_once: dialogue.download_once,
        last: dialogue.last,
        without_utf8: match dialogue.without_utf8 {
            restante_dialogue::WithoutUtf8::Raw => WithoutUtf8::Raw,
            restante_dialogue::WithoutUtf8::Downgrade => WithoutUtf8::Downgrade,
            restante_dialogue::WithoutUtf8::Refuse => WithoutUtf8::Refuse,
        },
        language: dialogue
            .language
            .as_deref()
            .map_or_else(Language::default, |tag| Language::matching(tag).unwrap()),
        ..Policy::default()
    };
    let server = Running::start(Setup {
        without_tls: dialogue.tls == Tls::None,
        allow_cleartext: dialogue.cleartext,
        scram: dialogue.scram,
        digests: dialogue.digests,
        strict: dialogue.strict,
        tokens: dialogue.tokens,
        certificate: dialogue.certificate.clone(),
        gone: dialogue.gone.clone(),
        stuck: dialogue.stuck,
        policy,
        ..Setup::default()
    })
    .await;
    let fred = Owner::new("fred").unwrap();
    for message in &dialogue.messages {
        server.store.put(&fred, message.clone());
    }
    let mut stream = match dialogue.tls {
        Tls::Active => server.connect_tls().await,
        Tls::Available | Tls::None => server.connect().await,
    };
    let context = format!("{}, pipelined: {pipelined}", dialogue.name);
    for (index, part) in dialogue.parts.iter().enumerate() {
        if index > 0 {
            stream = server.start_tls(stream).await;
        }
        if pipelined {
            say(&mut *stream, &context, &in_one_piece(part)).await;
        } else {
            say(&mut *stream, &context, part).await;
        }
    }
    if dialogue.closed {
        let said = read_to_end(&mut *stream).await;
        assert!(said.is_empty(), "{context}: after the close: {}", said.escape_ascii());
    }
    drop(stream);
    server.stop().await;
}

async fn say(stream: &mut dyn Stream, context: &str, part: &Part) {
    for turn in &part.turns {
        send(stream, &turn.client).await;
        let said = read_lines(stream, turn.server.len()).await;
        check(context, &said, &turn.server);
    }
}

fn in_one_piece(part: &Part) -> Part {
    let server = part.server_lines().cloned().collect();
    Part { turns: vec![restante_dialogue::Turn { client: part.client_octets(), server }] }
}

//! Who gets a maildrop that another session holds: nobody while the holder is at work, one new
//! login when it has been silent for long. The holder never commits afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::time::Duration;

use restante_maildrop::Owner;
use restante_server::Limits;

mod support;
use support::{Gate, Running, Setup, Stream, read_lines, read_to_end, send};

const SILENCE: Duration = Duration::from_secs(61);

/// A session on a new connection, or what the login was refused with.
async fn log_in(server: &Running) -> Result<Box<dyn Stream>, String> {
    let mut stream = server.connect().await;
    send(&mut *stream, b"USER fred\r\nPASS secret\r\n").await;
    let said = String::from_utf8(read_lines(&mut *stream, 3).await).unwrap();
    let reply = said.lines().last().unwrap();
    if reply.starts_with("+OK") { Ok(stream) } else { Err(reply.to_owned()) }
}

/// Goes on logging in after ever more silence: a session that has just answered may not be seen
/// to wait yet.
async fn take_over(server: &Running) -> Box<dyn Stream> {
    loop {
        server.clock.advance(SILENCE);
        if let Ok(stream) = log_in(server).await {
            return stream;
        }
    }
}

async fn start(setup: Setup) -> (Running, Owner) {
    let server = Running::start(Setup { allow_cleartext: true, ..setup }).await;
    let fred = Owner::new("fred").unwrap();
    server.store.put(&fred, "a\n");
    (server, fred)
}

#[tokio::test]
async fn r31_a_silent_session_is_taken_over_and_deletes_nothing() {
    let (server, fred) = start(Setup::default()).await;
    let mut silent = log_in(&server).await.unwrap();
    send(&mut *silent, b"DELE 1\r\n").await;
    read_lines(&mut *silent, 1).await;
    let mut heir = take_over(&server).await;
    assert_eq!(read_to_end(&mut *silent).await, b"", "it ends without a word");
    send(&mut *heir, b"STAT\r\nDELE 1\r\nQUIT\r\n").await;
    assert!(read_to_end(&mut *heir).await.starts_with(b"+OK 1 3\r\n"), "the mail is all there");
    assert!(server.store.messages(&fred).is_empty(), "the new session has the maildrop");
    log_in(&server).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn s12_an_active_session_is_not_taken_over() {
    let (server, _) = start(Setup::default()).await;
    let mut holder = log_in(&server).await.unwrap();
    for _ in 0..5 {
        server.clock.advance(SILENCE / 2);
        send(&mut *holder, b"NOOP\r\n").await;
        read_lines(&mut *holder, 1).await;
        let refused = log_in(&server).await.err().unwrap();
        let names = "-ERR [IN-USE] The maildrop is in use by a POP3 session from 127.0.0.1:";
        assert!(refused.starts_with(names), "{refused}");
    }
    send(&mut *holder, b"QUIT\r\n").await;
    assert!(read_to_end(&mut *holder).await.starts_with(b"+OK Goodbye"));
    server.stop().await;
}

#[tokio::test]
async fn s12_nobody_is_taken_over_when_that_is_off() {
    let limits = Limits { takeover_time: Duration::ZERO, ..Limits::default() };
    let (server, _) = start(Setup { limits, ..Setup::default() }).await;
    let _holder = log_in(&server).await.unwrap();
    for _ in 0..20 {
        server.clock.advance(SILENCE);
        assert!(log_in(&server).await.err().unwrap().contains("[IN-USE]"));
    }
    server.stop().await;
}

/// Goal: a session is not taken over while a message is fetched or a commit is under way, however
/// long that takes. Method: a store that holds both up until half a dozen logins were refused.
#[tokio::test]
async fn r31_a_session_at_work_is_never_taken_over() {
    let gate = Gate::new();
    let (server, fred) = start(Setup { gate: Some(gate.clone()), ..Setup::default() }).await;
    let mut holder = log_in(&server).await.unwrap();
    for (commands, lines) in [(&b"RETR 1\r\nDELE 1\r\n"[..], 4), (b"QUIT\r\n", 1)] {
        send(&mut *holder, commands).await;
        gate.arrived().await;
        for _ in 0..6 {
            server.clock.advance(SILENCE);
            assert!(log_in(&server).await.err().unwrap().contains("[IN-USE]"));
        }
        gate.let_pass();
        let said = read_lines(&mut *holder, lines).await;
        assert!(!said.is_empty() && !said.windows(4).any(|window| window == b"-ERR"));
    }
    assert!(server.store.messages(&fred).is_empty());
    server.stop().await;
}

/// Goal: of many logins that come at once for a silent session's maildrop one gets it, the others
/// hear that it is in use.
#[tokio::test]
async fn r31_of_racing_logins_one_takes_over() {
    let (server, _) = start(Setup::default()).await;
    let _silent = log_in(&server).await.unwrap();
    let winners = loop {
        server.clock.advance(SILENCE);
        let mut logins: Vec<_> = (0..20).map(|_| Box::pin(log_in(&server))).collect();
        let mut winners = Vec::new();
        for login in join(&mut logins).await {
            match login {
                Ok(stream) => winners.push(stream),
                Err(refused) => assert!(refused.starts_with("-ERR [IN-USE]"), "{refused}"),
            }
        }
        if !winners.is_empty() {
            break winners;
        }
    };
    assert_eq!(winners.len(), 1);
    server.stop().await;
}

/// Goal: whatever moment the old holder says QUIT, either it commits and the new session finds
/// nothing, or it is taken over, hears nothing and has deleted nothing. Method: QUIT and the new
/// login race on two threads, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r31_who_was_taken_over_never_commits() {
    let (server, fred) = start(Setup::default()).await;
    for round in 0..100 {
        let mut old = log_in(&server).await.unwrap();
        send(&mut *old, b"DELE 1\r\n").await;
        read_lines(&mut *old, 1).await;
        server.clock.advance(SILENCE);
        let quit = tokio::spawn(async move {
            send(&mut *old, b"QUIT\r\n").await;
            read_to_end(&mut *old).await
        });
        let heir = log_in(&server).await;
        let goodbye = quit.await.unwrap();
        let kept = server.store.messages(&fred).len();
        match goodbye.as_slice() {
            b"" => {
                assert_eq!(kept, 1, "round {round}: taken over, and deleted all the same");
                let mut heir = heir.unwrap();
                send(&mut *heir, b"QUIT\r\n").await;
                read_to_end(&mut *heir).await;
            }
            goodbye => {
                assert!(goodbye.starts_with(b"+OK"), "{}", goodbye.escape_ascii());
                assert_eq!(kept, 0, "round {round}: said to be deleted, and still there");
                if let Ok(mut heir) = heir {
                    send(&mut *heir, b"STAT\r\nQUIT\r\n").await;
                    assert!(read_to_end(&mut *heir).await.starts_with(b"+OK 0 0\r\n"));
                }
                server.store.put(&fred, "a\n");
            }
        }
    }
    server.stop().await;
}

/// Drives all of them at once and returns what each came to.
async fn join<F: Future + Unpin>(futures: &mut [F]) -> Vec<F::Output> {
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = std::pin::Pin::new(future).poll(context)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

//! What an office may ask of its users: a delay between logins, and mail that does not stay.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::time::{Duration, SystemTime};

use restante_host::{Clock, HostClock};
use restante_maildrop::{Owner, Terms};
use restante_proto::dot::Unstuffer;
use restante_proto::pop3::WithoutUtf8;
use restante_server::{Limits, Policy};

mod support;
use support::{Running, Setup, read_lines, read_to_end, send};

const USER_PASS: &[u8] = b"USER fred\r\nPASS secret\r\n";
const PLAIN: &[u8] = b"NOOP\r\nAUTH PLAIN AGZyZWQAc2VjcmV0\r\n";

/// What the server answers to two commands on a new connection, and then to QUIT.
async fn two(server: &Running, commands: &[u8]) -> [String; 2] {
    let mut stream = server.connect().await;
    send(&mut *stream, commands).await;
    let said = String::from_utf8(read_lines(&mut *stream, 3).await).unwrap();
    send(&mut *stream, b"QUIT\r\n").await;
    read_to_end(&mut *stream).await;
    let mut lines = said.lines().skip(1).map(str::to_owned);
    [lines.next().unwrap(), lines.next().unwrap()]
}

#[tokio::test]
async fn s41_s46_a_login_too_soon_is_refused_at_pass_and_auth_never_at_user() {
    let policy = Policy { login_delay: Duration::from_secs(300), ..Policy::default() };
    let setup = Setup { policy, allow_cleartext: true, ..Setup::default() };
    let server = Running::start(setup).await;
    // Wrong passwords begin no delay, and are told apart from it.
    assert!(two(&server, b"USER fred\r\nPASS wrong\r\n").await[1].starts_with("-ERR [AUTH]"));
    assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    server.clock.advance(Duration::from_secs(200));
    for login in [USER_PASS, PLAIN] {
        let [first, second] = two(&server, login).await;
        assert!(!first.contains("LOGIN-DELAY"), "{first}");
        let refused = "-ERR [LOGIN-DELAY] Too soon after the last login, wait ";
        assert!(second.starts_with(refused), "{second}");
    }
    assert!(two(&server, b"USER fred\r\nPASS wrong\r\n").await[1].starts_with("-ERR [AUTH]"));
    // Being refused does not make it longer.
    server.clock.advance(Duration::from_secs(100));
    assert!(two(&server, PLAIN).await[1].starts_with("+OK"));
    assert!(two(&server, PLAIN).await[1].starts_with("-ERR [LOGIN-DELAY]"));
    server.stop().await;
}

#[tokio::test]
async fn s41_there_is_no_delay_unless_one_is_set() {
    let server = Running::start(Setup { allow_cleartext: true, ..Setup::default() }).await;
    for _ in 0..3 {
        assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    }
    server.stop().await;
}

#[tokio::test]
async fn s41_s42_capa_shows_the_worst_of_all_users_before_the_login_and_the_users_own_after() {
    let policy =
        Policy { login_delay: Duration::from_secs(60), expire_days: 30, ..Policy::default() };
    for (delay_s, days, before, after) in [
        (
            Some(300),
            Some(7),
            ["EXPIRE 7 USER", "LOGIN-DELAY 300 USER"],
            ["EXPIRE 7", "LOGIN-DELAY 300"],
        ),
        (
            Some(5),
            Some(90),
            ["EXPIRE 30 USER", "LOGIN-DELAY 60 USER"],
            ["EXPIRE 90", "LOGIN-DELAY 5"],
        ),
        (Some(0), Some(0), ["EXPIRE 30 USER", "LOGIN-DELAY 60 USER"], ["EXPIRE NEVER", ""]),
        (None, None, ["EXPIRE 30", "LOGIN-DELAY 60"], ["EXPIRE 30", "LOGIN-DELAY 60"]),
    ] {
        let terms = Terms {
            login_delay: delay_s.map(Duration::from_secs),
            expire_days: days,
            ..Terms::default()
        };
        let policy = policy.clone();
        let setup = Setup { policy, terms, allow_cleartext: true, ..Setup::default() };
        let server = Running::start(setup).await;
        let mut stream = server.connect().await;
        send(&mut *stream, b"CAPA\r\nUSER fred\r\nPASS secret\r\nCAPA\r\nQUIT\r\n").await;
        let said = String::from_utf8(read_to_end(&mut *stream).await).unwrap();
        let capas: Vec<&str> = said.split("Capability list follows").collect();
        for (capa, lines) in [(capas[1], before), (capas[2], after)] {
            let found = |word| capa.lines().find(|line| line.starts_with(word)).unwrap_or_default();
            assert_eq!([found("EXPIRE"), found("LOGIN-DELAY")], lines, "{delay_s:?} {days:?}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn s41_a_users_own_delay_is_the_one_that_counts() {
    let login_delay = Some(Duration::from_secs(300));
    let setup = Setup {
        terms: Terms { login_delay, ..Terms::default() },
        allow_cleartext: true,
        ..Setup::default()
    };
    let server = Running::start(setup).await;
    assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    server.clock.advance(Duration::from_secs(299));
    assert!(two(&server, USER_PASS).await[1].starts_with("-ERR [LOGIN-DELAY]"));
    server.clock.advance(Duration::from_secs(1));
    assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    server.stop().await;
}

#[tokio::test]
async fn s42_a_users_own_days_are_those_that_count() {
    for (own, left) in [(Some(20), 2), (Some(0), 3), (None, 1)] {
        let policy = Policy { expire_days: 5, ..Policy::default() };
        let terms = Terms { expire_days: own, ..Terms::default() };
        let (server, fred) = with_terms(policy, terms, &[10, 100]).await;
        let (_, kept) = session(&server, &fred, "QUIT\r\n").await;
        assert_eq!(kept.len(), left, "{own:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn who_may_not_log_in_from_there_is_told_what_a_wrong_password_is() {
    let login = |networks: &str, password: &str| {
        let networks = Some(vec![networks.parse().unwrap()]);
        let setup = Setup {
            terms: Terms { networks, ..Terms::default() },
            allow_cleartext: true,
            ..Setup::default()
        };
        let commands = format!("USER fred\r\nPASS {password}\r\n");
        async move {
            let server = Running::start(setup).await;
            let [_, said] = two(&server, commands.as_bytes()).await;
            server.stop().await;
            said
        }
    };
    assert!(login("127.0.0.0/8", "secret").await.starts_with("+OK"));
    let [elsewhere, wrong] =
        [login("192.0.2.0/24", "secret").await, login("127.0.0.0/8", "wrong").await];
    assert!(wrong.starts_with("-ERR [AUTH]"));
    assert_eq!(elsewhere, wrong);
}

/// A server whose user has a message of each of these ages in days, and one of unknown age.
async fn with_ages(policy: Policy, ages: &[u64]) -> (Running, Owner) {
    with_terms(policy, Terms::default(), ages).await
}

/// The same, whose user has terms of his own.
async fn with_terms(policy: Policy, terms: Terms, ages: &[u64]) -> (Running, Owner) {
    let setup = Setup { policy, terms, allow_cleartext: true, ..Setup::default() };
    let (server, fred) = (Running::start(setup).await, Owner::new("fred").unwrap());
    for age in ages {
        let arrived: SystemTime = HostClock.wall() - Duration::from_secs(age * 24 * 60 * 60);
        server.store.put_arrived(&fred, format!("{age} days\n"), arrived);
    }
    server.store.put(&fred, "unknown\n");
    (server, fred)
}

/// All that one session is told, and what is there afterwards. Commands that do not end with QUIT
/// are all carried out before the line breaks.
async fn session(server: &Running, owner: &Owner, commands: &str) -> (String, Vec<String>) {
    let mut stream = server.connect().await;
    send(&mut *stream, USER_PASS).await;
    read_lines(&mut *stream, 3).await;
    send(&mut *stream, commands.as_bytes()).await;
    let mut said = Vec::new();
    if commands.ends_with("QUIT\r\n") {
        said = read_to_end(&mut *stream).await;
    } else {
        send(&mut *stream, b"XYZZY\r\n").await;
        while !said.ends_with(b"Unknown command\r\n") {
            said.extend(read_lines(&mut *stream, 1).await);
        }
    }
    drop(stream);
    (String::from_utf8(said).unwrap(), messages(server, owner))
}

fn messages(server: &Running, owner: &Owner) -> Vec<String> {
    let messages = server.store.messages(owner);
    messages.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
}

/// A session that only says QUIT, as soon as the one before is noticed to be gone.
async fn look_in(server: &Running) {
    while !two(server, USER_PASS).await[1].starts_with("+OK") {}
}

#[tokio::test]
async fn s20_s42_old_mail_goes_at_quit_of_a_session_and_never_otherwise() {
    let policy = Policy { expire_days: 30, ..Policy::default() };
    let (server, fred) = with_ages(policy, &[31, 29, 400, 0]).await;
    let all = messages(&server, &fred);
    // QUIT before the login is no UPDATE, nor is a lost connection.
    let mut stream = server.connect().await;
    send(&mut *stream, b"QUIT\r\n").await;
    read_to_end(&mut *stream).await;
    assert_eq!(messages(&server, &fred), all);
    let (said, left) = session(&server, &fred, "STAT\r\nDELE 2\r\n").await;
    assert!(said.starts_with("+OK 5 "), "expired mail is there until then: {said}");
    assert_eq!(left, all);
    look_in(&server).await;
    assert_eq!(messages(&server, &fred), ["29 days\n", "0 days\n", "unknown\n"]);
    // Time goes on.
    server.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
    let (said, left) = session(&server, &fred, "DELE 2\r\nQUIT\r\n").await;
    assert!(said.ends_with("+OK Goodbye, 1 messages deleted\r\n"), "what was marked: {said}");
    assert_eq!(left, ["unknown\n"]);
    server.stop().await;
}

#[tokio::test]
async fn s42_mail_is_kept_for_ever_unless_set_otherwise() {
    let (server, fred) = with_ages(Policy::default(), &[31, 18_000]).await;
    let (_, left) = session(&server, &fred, "RETR 1\r\nQUIT\r\n").await;
    assert_eq!(left.len(), 3);
    server.stop().await;
}

#[tokio::test]
async fn s35_what_was_retrieved_goes_at_quit_and_stays_when_the_line_breaks() {
    let policy = Policy { download_once: true, ..Policy::default() };
    let (server, fred) = with_ages(policy, &[1, 2, 3]).await;
    let (said, left) = session(&server, &fred, "RETR 1\r\nRETR 2\r\n").await;
    assert!(said.contains("2 days"), "{said}");
    assert_eq!(left.len(), 4, "no QUIT, nothing is deleted");
    look_in(&server).await;
    assert_eq!(messages(&server, &fred).len(), 4, "that session retrieved nothing");
    let commands = "RETR 1\r\nTOP 2 99999\r\nDELE 4\r\nRSET\r\nRETR 3\r\nRETR 9\r\nQUIT\r\n";
    let (said, left) = session(&server, &fred, commands).await;
    assert!(said.ends_with("+OK Goodbye, 2 messages deleted\r\n"), "{said}");
    assert_eq!(left, ["2 days\n", "unknown\n"]);
    server.stop().await;
}

/// Goal: what is listed is what is sent, to the octet, also where a surrogate is made, NUL is
/// replaced, and the header that matters stands behind the first piece.
#[tokio::test]
async fn s81_a_surrogate_is_as_long_as_listed_with_nul_replaced() {
    let mut message = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n".to_vec();
    message.extend(b"\0.\n.".repeat(40_000));
    message.extend("\n--b\nSubject: \u{e4}\0\n\n\u{e4}\0".as_bytes());
    let setup = Setup {
        policy: Policy {
            replace_nul: true,
            without_utf8: WithoutUtf8::Downgrade,
            ..Policy::default()
        },
        allow_cleartext: true,
        ..Setup::default()
    };
    let server = Running::start(setup).await;
    server.store.put(&Owner::new("fred").unwrap(), message.clone());
    let mut stream = server.connect().await;
    send(&mut *stream, &[USER_PASS, b"RETR 1\r\nQUIT\r\n"].concat()).await;
    let said = read_to_end(&mut *stream).await;
    let begin = said.windows(6).position(|window| window == b"Conten").unwrap();
    let end = said.windows(6).rposition(|window| window == b"\r\n.\r\n+").unwrap() + 2;
    let (mut body, mut unstuffer) = (Vec::new(), Unstuffer::default());
    unstuffer.push(&said[begin..end + 3], &mut body);
    assert!(unstuffer.is_done() && !body.contains(&0) && body.ends_with(b"\xc3\xa4\x80\r\n"));
    let octets = format!("+OK {} octets\r\n", body.len());
    assert!(said[..begin].ends_with(octets.as_bytes()), "{}", said[..begin].escape_ascii());
    let encoded = b"\r\nSubject: =?utf-8?B?w6QA?=\r\n";
    assert!(body.windows(encoded.len()).any(|window| window == encoded));
    server.stop().await;
}

/// Goal: Outlook gets no NUL where that is set, everybody gets the octets of the message where it
/// is not, and both get as many as were listed. Method: NUL at the ends and around a piece's end.
#[tokio::test]
async fn s24_a_nul_is_replaced_octet_for_octet_where_that_is_set() {
    let mut message = vec![b'x'; 64 * 1024 - 1];
    message.extend(b"\0\0\r\n\0");
    message.splice(0..0, *b"\0.");
    let wire = [&message[..], b"\r\n"].concat();
    for replace_nul in [false, true] {
        let setup = Setup {
            policy: Policy { replace_nul, ..Policy::default() },
            allow_cleartext: true,
            ..Setup::default()
        };
        let server = Running::start(setup).await;
        server.store.put(&Owner::new("fred").unwrap(), message.clone());
        let mut stream = server.connect().await;
        send(&mut *stream, &[USER_PASS, b"RETR 1\r\nQUIT\r\n"].concat()).await;
        let said = read_to_end(&mut *stream).await;
        let octets = format!("+OK {} octets\r\n", wire.len()).into_bytes();
        let at = said.windows(octets.len()).position(|window| window == octets).unwrap();
        let body = &said[at + octets.len()..][..wire.len()];
        let sent = |octet: u8| if replace_nul && octet == 0 { 0x80 } else { octet };
        assert!(body.iter().copied().eq(wire.iter().copied().map(sent)), "{replace_nul}");
        assert!(said[at + octets.len() + wire.len()..].starts_with(b".\r\n+OK Goodbye"));
        server.stop().await;
    }
}

/// A session of fred's that is logged in, and what its STAT said.
async fn logged_in(server: &Running) -> (Box<dyn support::Stream>, String) {
    let mut stream = server.connect().await;
    send(&mut *stream, &[USER_PASS, b"STAT\r\n"].concat()).await;
    let said = String::from_utf8(read_lines(&mut *stream, 4).await).unwrap();
    (stream, said.lines().last().unwrap().to_owned())
}

/// Goal: without the lock, sessions keep their numbers and delete what they marked and nobody
/// else did. S14 and S17 ask for a lock; the snapshot keeps what matters of them.
#[tokio::test]
async fn s14_s17_shared_sessions_have_a_snapshot_each() {
    let policy = Policy { shared_sessions: true, ..Policy::default() };
    let setup = Setup { policy, allow_cleartext: true, ..Setup::default() };
    let (server, fred) = (Running::start(setup).await, Owner::new("fred").unwrap());
    for message in ["one\n", "two\n", "three\n"] {
        server.store.put(&fred, message);
    }
    let (mut first, stat) = logged_in(&server).await;
    assert_eq!(stat, "+OK 3 17");
    let (mut second, stat) = logged_in(&server).await;
    assert_eq!(stat, "+OK 3 17", "a second session gets in at once");
    send(&mut *first, b"DELE 2\r\nQUIT\r\n").await;
    assert!(read_to_end(&mut *first).await.ends_with(b"+OK Goodbye, 1 messages deleted\r\n"));
    server.store.put(&fred, "four\n");
    send(&mut *second, b"STAT\r\nLIST 2\r\nRETR 2\r\nTOP 2 0\r\n").await;
    let said = String::from_utf8(read_lines(&mut *second, 4).await).unwrap();
    let gone = "-ERR [SYS/TEMP] Another program removed this message\r\n";
    assert_eq!(said, format!("+OK 3 17\r\n+OK 2 5\r\n{gone}{gone}"));
    send(&mut *second, b"DELE 2\r\nDELE 3\r\nQUIT\r\n").await;
    let said = read_to_end(&mut *second).await;
    assert!(said.ends_with(b"+OK Goodbye, 2 messages deleted\r\n"));
    assert_eq!(messages(&server, &fred), ["one\n", "four\n"]);
    server.stop().await;
}

/// Goal: one user cannot take all places; who is refused is told so and may come again later.
#[tokio::test]
async fn r42_a_user_who_has_all_the_sessions_there_are_is_in_use() {
    let limits = Limits { sessions_per_user: 2, ..Limits::default() };
    let policy = Policy { shared_sessions: true, ..Policy::default() };
    let setup = Setup { policy, limits, allow_cleartext: true, ..Setup::default() };
    let server = Running::start(setup).await;
    let (mut first, _) = logged_in(&server).await;
    let (_second, stat) = logged_in(&server).await;
    assert!(stat.starts_with("+OK"), "{stat}");
    let [_, refused] = two(&server, USER_PASS).await;
    assert!(refused.starts_with("-ERR [IN-USE] You have as many sessions as"), "{refused}");
    send(&mut *first, b"QUIT\r\n").await;
    read_to_end(&mut *first).await;
    assert!(two(&server, USER_PASS).await[1].starts_with("+OK"));
    server.stop().await;
}

//! Many clients that mean no good at once: memory and descriptors have their bounds, and who means
//! well gets in beside them.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::support::line::Line;
use crate::support::office::{Office, PASSWORD};

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

fn good_login(address: SocketAddr) {
    let mut line = Line::login(address, "alice", PASSWORD);
    assert!(line.ok("STAT").starts_with("+OK 1 "));
    line.ok("QUIT");
}

/// The test holds both ends' share of descriptors.
fn many_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Goal: lines without an end cost a bounded number of octets each. Method: 900 connections say
/// as much as the server hears out before it closes, nearly, and stay.
#[test]
fn r11_endless_lines_of_a_thousand_clients_fit_in_memory() {
    many_descriptors();
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let serving = office.serve();
    good_login(serving.pop3);
    let before = serving.process.memory_peak_kib();
    let endless = vec![b'x'; 8 * 1024];
    let sasl = [&b"AUTH PLAIN\r\n"[..], &[b'A'; 17 * 1024]].concat();
    let flood: Vec<_> = (0..900)
        .map(|number| {
            let mut stream = connect(serving.pop3);
            // Either kind of line; what the server no longer reads it has closed.
            let _ = stream.write_all(if number % 2 == 0 { &endless } else { &sasl });
            stream
        })
        .collect();
    good_login(serving.pop3);
    let grown = serving.process.memory_peak_kib() - before;
    assert!(grown < 64 * 1024, "{grown} KiB for {} clients", flood.len());
    drop(flood);
    good_login(serving.pop3);
}

/// Goal: what others get wrong in base64, or break off, keeps nobody out and stays nowhere.
#[test]
fn r13_bad_base64_and_broken_off_logins_disturb_no_other() {
    many_descriptors();
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let serving = office.serve();
    let mut bad: Vec<_> = (0..200).map(|_| connect(serving.pop3)).collect();
    for round in 0..10 {
        for stream in &mut bad {
            let said: &[u8] = match round % 3 {
                0 => b"AUTH PLAIN\r\n!!!\r\n",
                1 => b"AUTH PLAIN\r\n*\r\n",
                _ => b"AUTH LOGIN\r\nAGZ\r\n",
            };
            // Some are closed for it by and by.
            let _ = stream.write_all(said);
        }
        good_login(serving.pop3);
    }
    drop(bad);
    let before = serving.process.memory_peak_kib();
    for _ in 0..500 {
        let mut stream = connect(serving.pop3);
        let _ = stream.write_all(&b"AUTH PLAIN\r\n*\r\n".repeat(20));
        let _ = stream.write_all(b"QUIT\r\n");
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
    }
    let grown = serving.process.memory_peak_kib() - before;
    assert!(grown < 4 * 1024, "{grown} KiB for 10,000 logins that were broken off");
    good_login(serving.pop3);
}

/// Goal: a login gets through beside clients that are silent, that send an octet and stop, and
/// that ask for everything and read nothing.
#[test]
fn r42_silent_and_deaf_clients_keep_nobody_out() {
    many_descriptors();
    let office = Office::new(&["alice", "bob"]);
    crate::support::maildir::fill(&office.maildir("alice"), ["Subject: 1\n\nbody\n"]);
    crate::support::maildir::fill(&office.maildir("bob"), [vec![b'x'; 4 << 20]]);
    let serving = office.serve();
    let mut held: Vec<_> = (0..400).map(|_| connect(serving.pop3)).collect();
    held.extend((0..100).map(|_| {
        let mut stream = connect(serving.pop3s);
        stream.write_all(b"\x16").unwrap();
        stream
    }));
    held.extend((0..100).map(|_| {
        let mut stream = connect(serving.pop3);
        stream.write_all(b"U").unwrap();
        stream
    }));
    let mut deaf = Line::login(serving.pop3, "bob", PASSWORD);
    deaf.send(&b"RETR 1\r\n".repeat(100)).unwrap();
    for _ in 0..10 {
        good_login(serving.pop3);
    }
    let peak = serving.process.memory_peak_kib();
    assert!(peak < 64 * 1024, "{peak} KiB");
}

/// Goal: out of descriptors the server neither ends nor spins, and serves again when there are
/// some. Method: 64 descriptors and 200 clients.
#[test]
fn r43_a_server_without_descriptors_waits_and_goes_on() {
    let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
    let inner = office.serve_command();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$@\"", "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    let mut serving = office.serve_under(command);
    good_login(serving.pop3);
    let flood: Vec<_> = (0..200).map(|_| connect(serving.pop3)).collect();
    serving.process.wait_for("cannot accept a connection", 2);
    drop(flood);
    good_login(serving.pop3);
    good_login(serving.pop3);
    serving.process.terminate();
    let log = serving.process.complaints();
    let times = log.matches("cannot accept a connection").count();
    assert!(times < 3000, "{times} tries is spinning");
}

/// Goal: what a login is bound to by a stamp, a challenge or a nonce never comes again, so that
/// what was heard of one is worth nothing for another.
#[test]
fn r06_r25_no_stamp_challenge_or_nonce_comes_twice() {
    let office = Office::new(&["alice"]);
    let config = office.folder().join("restante.toml");
    std::fs::write(&config, "[login]\napop = true\ncram_md5 = true\n").unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(config);
    let serving = office.serve_under(command);
    let mut seen = HashSet::new();
    for _ in 0..500 {
        let mut stream = connect(serving.pop3);
        let scram = "AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2RlZg==\r\n*\r\n";
        write!(stream, "AUTH CRAM-MD5\r\n*\r\nAUTH CRAM-MD5\r\n*\r\n{scram}QUIT\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        let fresh: Vec<_> =
            said.lines().filter(|line| line.contains('<') || line.starts_with("+ ")).collect();
        assert_eq!(fresh.len(), 4, "{said}");
        for line in fresh {
            assert!(seen.insert(line.to_owned()), "{line} came twice");
        }
    }
}

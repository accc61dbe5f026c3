//! Names that want to be something else, brought in by every way to log in.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::office::{self, Office, Serving};
use crate::support::{process, tls};

/// Names that have meant something to a server before.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "..",
        ".",
        "/",
        "//",
        "/etc/passwd",
        "../../../../etc/passwd",
        "alice/../root",
        "./alice",
        "alice/",
        "/alice",
        "..\\..\\x",
        "alice\\",
        "%2e%2e%2fetc",
        "..%2f..%2fetc",
        "~root",
        "~",
        ".alice",
        "alice/Maildir",
        "Maildir/new",
        "alice/.Trash",
        "passwd",
        "../passwd",
        "secret",
        "%s%n",
        "%s%s%s%s%n",
        "%{user}",
        "%{home}",
        "%u@%d",
        "${HOME}",
        "$(id)",
        "${jndi:ldap://x}",
        "{data}",
        "{user}",
        "{0}",
        "{}",
        "{{user}}",
        "`id`",
        "; id",
        "| id",
        "& id",
        "-rf",
        "--help",
        "' OR '1'='1",
        "alice'--",
        "\"; DROP TABLE users; --",
        "*",
        "*)(uid=*",
        "alice)(|(uid=*",
        "alice@",
        "@alice",
        "alice@../x",
        "a@b@c",
        "alice+../x",
        "alice:x",
        "alice::::",
        ":",
        "#alice",
        "alice\u{202e}ecila",
        "\u{202e}",
        "\u{200b}alice",
        "\u{feff}alice",
        "ａlice",
        "аlice",
        "\u{85}x",
        "\u{2028}x",
        "\u{7f}",
        "\u{1b}[2J",
        "\u{8}\u{8}\u{8}alice",
        "\tx",
        "login failed address=203.0.113.9 user=\"x\"",
        "\" end=quit user=\"alice",
        "x\\",
        "\\\"",
        "[IN-USE]",
        "-ERR [SYS/PERM] x",
        "+OK",
        "[AUTH] no",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("a".repeat(200));
    names.push("../".repeat(60));
    names.push("é".repeat(100));
    names
}

/// Names that a line of a command cannot hold, but base64 can.
const ONLY_ENCODED: [&str; 6] =
    ["alice\r\nDELE 1", "x\r\n+OK in", "x\nfoo", "x\rfoo", "alice\r\n.\r\n", "a\u{1}b"];

/// Every way to bring a name in, and what it says to the server.
fn ways(issuer: &Issuer, name: &str) -> Vec<(&'static str, String)> {
    let b64 = |text: String| STANDARD.encode(text);
    let mut ways = vec![
        ("plain", format!("AUTH PLAIN {}\r\n", b64(format!("\0{name}\0wrong")))),
        ("plain as alice", format!("AUTH PLAIN {}\r\n", b64(format!("{name}\0alice\0wrong")))),
        ("plain for alice", format!("AUTH PLAIN {}\r\n", b64(format!("alice\0{name}\0wrong")))),
        ("login", format!("AUTH LOGIN\r\n{}\r\nd3Jvbmc=\r\n", b64(name.to_owned()))),
        ("cram", format!("AUTH CRAM-MD5\r\n{}\r\n", b64(format!("{name} {}", "0".repeat(32))))),
        ("scram", format!("AUTH SCRAM-SHA-256 {}\r\nYz1iaXdz\r\n", b64(first(name)))),
        ("scram 1", format!("AUTH SCRAM-SHA-1 {}\r\nYz1iaXdz\r\n", b64(first(name)))),
    ];
    let token = issuer.token(name);
    let xoauth = b64(format!("user={name}\u{1}auth=Bearer {token}\u{1}\u{1}"));
    ways.push(("xoauth2", format!("AUTH XOAUTH2 {xoauth}\r\n\r\n")));
    let bearer = b64(format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}"));
    ways.push(("oauthbearer", format!("AUTH OAUTHBEARER {bearer}\r\nAQ==\r\n")));
    if !name.contains(['\r', '\n', '\0']) {
        ways.push(("user", format!("USER {name}\r\nPASS wrong\r\n")));
        ways.push(("apop", format!("APOP {name} {}\r\n", "0".repeat(32))));
    }
    ways
}

fn first(name: &str) -> String {
    format!("n,,n={},r=fyko+d2lbbFgONRv9qkxdawL", name.replace('=', "=3D").replace(',', "=2C"))
}

/// An issuer who signs whatever name there is.
struct Issuer(EncodingKey);

impl Issuer {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self(EncodingKey::from_ec_der(&key.serialize_der()))
    }

    fn token(&self, user: &str) -> String {
        let claims = json!({
            "iss": "https://id.example", "aud": "mail", "sub": user, "exp": 9_999_999_999_u64,
        });
        encode(&Header::new(Algorithm::ES256), &claims, &self.0).unwrap()
    }
}

struct Scene {
    office: Office,
    issuer: Issuer,
}

impl Scene {
    /// An office with every way to log in, where tokens are good for whoever they name.
    fn new() -> Self {
        let office = Office::with_mail(["Subject: 1\n\nbody\n"]);
        let issuer = Issuer::new();
        let keys = vec![Jwk::from_encoding_key(&issuer.0, Algorithm::ES256).unwrap()];
        let jwks = serde_json::to_vec(&JwkSet { keys }).unwrap();
        fs::write(office.folder().join("jwks.json"), jwks).unwrap();
        let config = "[login]\nscram = \"always\"\ncram_md5 = true\napop = true\n\
            folder_separator = \"+\"\ntries_per_user = 1000000\n[oauth]\njwks = \"jwks.json\"\n\
            issuer = \"https://id.example\"\naudience = \"mail\"\nuser_claim = \"sub\"\n\
            any_user = true\n[sandbox]\nfiles = false\n";
        fs::write(office.folder().join("restante.toml"), config).unwrap();
        Self { office, issuer }
    }

    fn command(&self) -> Command {
        let mut command = self.office.serve_command();
        command.arg("--config").arg(self.office.folder().join("restante.toml"));
        command
    }

    /// Says everything, in one connection for each name and way, and checks the form of what is
    /// answered: as many replies as lines ask for, each in one line, and no name in any of them.
    fn attack(&self, serving: &Serving, names: &[String]) -> usize {
        let mut attempts = 0;
        for name in names {
            for (way, said) in ways(&self.issuer, name) {
                let answered = tls::say(serving, format!("{said}CAPA\r\nQUIT\r\n").as_bytes());
                let text = String::from_utf8(answered).unwrap();
                let context = format!("{way} {name:?}: {text:?}");
                assert!(
                    text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']),
                    "{context}"
                );
                // A list of capabilities stands between a +OK and a dot.
                let mut in_list = false;
                for line in text.lines() {
                    let reply = ["+OK", "-ERR ", "+ "].iter().any(|start| line.starts_with(start));
                    assert!(reply || in_list, "{context}");
                    in_list = (in_list && line != ".") || line.starts_with("+OK Capability");
                    let echoes = name.len() > 3 && line.contains(name.as_str()) && !in_list;
                    assert!(
                        !echoes || "Maildir [IN-USE] [AUTH] no".contains(name.as_str()),
                        "{context}"
                    );
                }
                attempts += 1;
            }
        }
        attempts
    }
}

fn all_names() -> Vec<String> {
    hostile().into_iter().chain(ONLY_ENCODED.map(str::to_owned)).collect()
}

/// Goal: whatever a name looks like, and whichever way it comes in, no file is touched that is not
/// the office's, nor one that the name spells. Method: every path the server names to the system
/// is written down by strace; the files are not confined, so that nothing else keeps them apart.
#[test]
fn strace_r16_r20_no_name_leads_to_a_file_outside() {
    process::need("strace");
    let scene = Scene::new();
    let trace = scene.office.folder().join("trace");
    let inner = scene.command();
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--quiet=all", "--seccomp-bpf", "--string-limit=4096"]);
    command.arg("--trace=%file").arg("--output").arg(&trace);
    command.arg("--").arg(inner.get_program()).args(inner.get_args());
    let mut serving = scene.office.serve_under(command);
    let attempts = scene.attack(&serving, &all_names());
    assert!(attempts > 800, "{attempts}");
    let token =
        STANDARD.encode(format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", scene.issuer.token("alice")));
    let good =
        tls::say(&serving, format!("AUTH OAUTHBEARER {token}\r\nRETR 1\r\nQUIT\r\n").as_bytes());
    assert!(String::from_utf8_lossy(&good).contains("Subject: 1"), "{good:?}");
    serving.process.terminate();

    let trace = fs::read_to_string(trace).unwrap();
    // What the start needs is over when the ready file is there; its folder is still synced.
    let (_, serving) = trace.rsplit_once("ready.json\")").unwrap();
    let data = scene.office.data().canonicalize().unwrap();
    let mut touched = 0;
    for line in serving.lines() {
        let Some(path) = line.split('"').nth(1) else { continue };
        touched += 1;
        // A folder that is open is read by this name.
        if line.contains("openat(") && path == "." {
            continue;
        }
        // Where the certificate's path leads is asked again while it is watched.
        if line.contains("readlink(") && data.starts_with(path) {
            continue;
        }
        let beside = Path::new(path).parent() == Some(scene.office.folder());
        let inside = Path::new(path).starts_with(&data) || beside;
        assert!(inside && !path.contains("..") && !path.contains("//"), "{line}");
        let below = Path::new(path).strip_prefix(data.join("mail")).ok();
        if let Some(user) = below.and_then(|below| below.components().next()) {
            // Tokens were good for everybody: what is no path by itself is a user without mail.
            let user = user.as_os_str().to_str().unwrap();
            assert!(!user.starts_with('.') && user != "etc" && user != "root", "{path}");
        }
    }
    assert!(touched > 20, "alice's own files at least");
    let made: Vec<_> =
        fs::read_dir(data.join("mail")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(made, ["alice"], "and nothing is made for anybody");
}

/// Goal: what a client sends can end no line of the log, begin none, hide none and look like none.
#[test]
fn r09_r27_no_name_makes_or_breaks_a_line_of_the_log() {
    // Below that, the TLS library shows what it got in many lines, to people who look for them.
    for (format, level) in [("json", "trace"), ("human", "debug")] {
        let scene = Scene::new();
        let mut command = scene.command();
        command.args(["--log", format, "--log-level", level]);
        let mut serving = scene.office.serve_under(command);
        let attempts = scene.attack(&serving, &all_names());
        serving.process.terminate();
        let log = serving.process.complaints();
        let ended =
            if format == "json" { "\"message\":\"session ended\"" } else { " session ended " };
        let events = log.lines().filter(|line| line.contains(ended)).count();
        assert_eq!(events, attempts, "a line for each session");
        for line in log.lines() {
            if format == "json" {
                let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
                assert!(event["timestamp"].is_string(), "{line}");
            } else {
                assert!(line.starts_with("20") && line.get(26..28) == Some("Z "), "{line:?}");
                let hides = |c: char| c.is_control() || ('\u{200b}'..='\u{202f}').contains(&c);
                assert!(!line.contains(hides), "{line:?}");
            }
        }
        // Names are what they are, expanded by nobody.
        for name in ["%s%n", "%{user}", "{user}", "{data}", "${HOME}", "$(id)"] {
            let logged = if format == "json" {
                format!("\"user\":\"{name}\"")
            } else {
                format!("user=\"{name}\"")
            };
            assert!(log.contains(&logged), "{name}");
        }
    }
}

/// Goal: a stranger learns by no way to log in which users there are. Method: the octets of both
/// conversations are the same but for what is random, which has the same form. SCRAM's are looked at
/// up to the proof, which takes an answer to a nonce: dialogues have the rest.
#[test]
fn r22_users_who_exist_and_who_do_not_are_answered_alike_by_every_way() {
    let scene = Scene::new();
    let mut serving = scene.office.serve_under(scene.command());
    let stranger = Issuer::new();
    // Who acts for another is told so, whoever they are: no name is looked up for it.
    let own = |(way, _): &(&str, String)| !way.starts_with("plain ");
    let known: Vec<_> = ways(&stranger, "alice").into_iter().filter(own).collect();
    for name in ["alicf", "bob@example.org", "alice+x", "nobody"] {
        let unknown = ways(&stranger, name).into_iter().filter(own);
        for ((way, said), (_, of_nobody)) in known.iter().zip(unknown) {
            let heard = |said: &str| {
                let octets = tls::say(&serving, format!("{said}QUIT\r\n").as_bytes());
                form(&String::from_utf8(octets).unwrap())
            };
            assert_eq!(heard(said), heard(&of_nobody), "{way} {name}");
        }
    }
    serving.process.terminate();
    let log = serving.process.complaints();
    assert!(log.matches("login failed").count() >= 4 * 2 * 7, "all were logins: {log}");
}

/// What was said with all that is random replaced: the greeting's stamp, nonces, challenges.
fn form(text: &str) -> String {
    let challenge = |line: &str| {
        let decoded = STANDARD.decode(line.strip_prefix("+ ").unwrap_or_default()).unwrap();
        let decoded = String::from_utf8(decoded).unwrap();
        let masked = decoded.split(',').map(|part| match part.split_once('=') {
            Some((name @ ("r" | "s"), value)) => format!("{name}={}", value.len()),
            _ if part.starts_with('<') => "<stamp>".to_owned(),
            _ => part.to_owned(),
        });
        masked.collect::<Vec<_>>().join(",")
    };
    let line = |line: &str| match line.split_once('<') {
        _ if line.starts_with("+ ") => challenge(line),
        Some((before, _)) => before.to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A mail transfer agent hands recipients on as they came.
#[test]
fn r20_r37_deliver_takes_a_name_for_a_name() {
    let office = Office::new(&["alice"]);
    // Preparation makes these three be alice (RFC 4013), whom they are mail for.
    let alices = ["\u{200b}alice", "\u{feff}alice", "ａlice"];
    for name in hostile().iter().take(60).filter(|name| !alices.contains(&name.as_str())) {
        let mut command = office::restante();
        command.arg("deliver").arg("--data").arg(office.data()).arg("--").arg(name);
        let ended = process::run("deliver", office.folder(), &mut command);
        assert_eq!(ended.status.code(), Some(67), "{name:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{name:?}: {}", ended.stderr);
    }
    let entries = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(entries(&office.data().join("mail")), 1);
    assert_eq!(crate::support::maildir::files(&office.maildir("alice")).len(), 0);
}

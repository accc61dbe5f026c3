//! Real programs log in with the tokens of a real authorisation server, whose keys are fetched over
//! HTTPS, or that is asked about each token. The provider's certificate is of the test's own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::logins::{mpop, serve, text};
use crate::oauth::curl;
use crate::support::office::{Office, PASSWORD, Serving};
use crate::support::process::{self, Process};
use crate::support::{corpus, maildir};

/// A running provider, whose clients are alice, mallory and pop.
struct Provider {
    process: Process,
    url: String,
    folder: PathBuf,
}

impl Provider {
    fn start(office: &Office) -> Self {
        process::need("node");
        let packages =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/issuer/node_modules");
        let packages = packages.canonicalize().expect("./test.sh fetches the provider");
        let folder = office.folder().to_owned();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("issuer.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("issuer.key"), made.signing_key.serialize_pem()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/issuer.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(&folder).arg(packages).stdin(Stdio::null());
        let mut process = Process::start("issuer", &folder, command.stdout(Stdio::piped()));
        let mut url = String::new();
        let stdout = process.child().stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut url).unwrap();
        assert!(url.starts_with("https://"), "{}", process.complaints());
        Self { process, url: url.trim_end().to_owned(), folder }
    }

    /// What the provider answers to a form that a client of its sends.
    fn post(&self, path: &str, client: &str, fields: &[&str]) -> String {
        process::need("curl");
        let mut command = Command::new("curl");
        command.args(["--disable", "--silent", "--show-error", "--fail", "--cacert"]);
        command.arg(self.folder.join("issuer.pem"));
        command.args(["--user", &format!("{client}:{client}'s%20secret")]);
        for field in fields {
            command.args(["--data-urlencode", field]);
        }
        command.arg(format!("{}{path}", self.url));
        let said = process::run("curl", &self.folder, &mut command).success("the provider");
        String::from_utf8(said.stdout).unwrap()
    }

    /// A token of this client's: a signed one for us, or an opaque one.
    fn token(&self, client: &str, signed: bool) -> String {
        let fields = ["grant_type=client_credentials", "resource=urn:mail"];
        let answer = self.post("/token", client, if signed { &fields } else { &fields[..1] });
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    fn serve_by_keys(&self, office: &Office) -> Serving {
        let url = &self.url;
        let config = format!(
            "[oauth]\njwks_url = \"{url}/jwks\"\nca = \"issuer.pem\"\nissuer = \"{url}\"\n\
             audience = \"mail\"\nuser_claim = \"username\"\n"
        );
        serve(office, &config)
    }

    fn serve_by_asking(&self, office: &Office) -> Serving {
        let url = &self.url;
        fs::write(office.folder().join("secret"), "pop's secret\n").unwrap();
        let config = format!(
            "[oauth]\nintrospection_url = \"{url}/token/introspection\"\nca = \"issuer.pem\"\n\
             client_id = \"pop\"\nclient_secret_file = \"secret\"\nissuer = \"{url}\"\n\
             user_claim = \"username\"\n"
        );
        serve(office, &config)
    }
}

#[test]
fn s73_peer_oidc_tokens_are_checked_with_the_keys_the_provider_publishes() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let provider = Provider::start(&office);
    let serving = provider.serve_by_keys(&office);
    let said = curl(&office, &serving, &provider.token("alice", true), &[]).success("curl");
    assert_eq!(said.stdout, maildir::canonical(&messages[0]));
    serving.process.wait_for("fetched the issuer's keys", 1);
    let said = curl(&office, &serving, &provider.token("mallory", true), &[]);
    assert_eq!(said.status.code(), Some(67), "login denied: {}", said.stderr);
    serving.process.wait_for("it is another user's", 1);
    // An opaque one cannot be checked so, and nothing of it is in the log.
    let opaque = provider.token("alice", false);
    assert_eq!(curl(&office, &serving, &opaque, &[]).status.code(), Some(67));
    serving.process.wait_for("it is no signed token (JWT)", 1);
    assert!(!serving.process.complaints().contains(&opaque));
    mpop(&office, &serving, &provider.token("alice", true), "xoauth2").success("mpop");
}

#[test]
fn s73_peer_oidc_is_asked_about_opaque_tokens() {
    let messages = corpus::messages(1);
    let office = Office::with_mail(&messages);
    let mut provider = Provider::start(&office);
    let serving = provider.serve_by_asking(&office);
    let (good, revoked) = (provider.token("alice", false), provider.token("alice", false));
    let said = curl(&office, &serving, &good, &["--sasl-ir"]).success("curl");
    assert_eq!(said.stdout, maildir::canonical(&messages[0]));
    provider.post("/token/revocation", "alice", &[&format!("token={revoked}")]);
    assert_eq!(curl(&office, &serving, &revoked, &[]).status.code(), Some(67));
    serving.process.wait_for("the issuer says it is not active", 1);
    let late = provider.token("alice", false);
    provider.process.kill();
    curl(&office, &serving, &good, &[]).success("what was answered is remembered");
    let said = text(&curl(&office, &serving, &late, &[]));
    assert!(said.contains("-ERR [SYS/TEMP]"), "{said}");
    assert!(!serving.process.complaints().contains(&late));
}

#[test]
fn s73_peer_oidc_may_be_down_when_the_server_starts() {
    let office = Office::with_mail(corpus::messages(1));
    let mut provider = Provider::start(&office);
    let token = provider.token("alice", true);
    provider.process.kill();
    let serving = provider.serve_by_keys(&office);
    serving.process.wait_for("cannot fetch the issuer's keys", 1);
    let said = text(&curl(&office, &serving, &token, &[]));
    assert!(said.contains("-ERR [SYS/TEMP]"), "{said}");
    // Who has a password gets in all the same.
    mpop(&office, &serving, PASSWORD, "plain").success("mpop");
}

//! Real programs log in by tokens that the test signs as the issuer would.

use std::fs;
use std::process::Command;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::logins::{mpop, text};
use crate::support::office::{Office, Serving};
use crate::support::process::{self, Ended};
use crate::support::{corpus, maildir};

/// Given a token, curl uses OAUTHBEARER wherever that is offered, whatever it is told to use.
#[test]
fn s73_peer_curl_logs_in_by_oauthbearer() {
    let messages = corpus::messages(1);
    let (office, serving, issuer) = open(&messages);
    for length in [0, 6000] {
        for initial in [&["--sasl-ir"][..], &[]] {
            let said = curl(&office, &serving, &issuer.token("alice", length), initial);
            let said = said.success("curl");
            assert_eq!(said.stdout, maildir::canonical(&messages[0]));
            assert!(said.stderr.contains("> AUTH OAUTHBEARER"), "{}", said.stderr);
        }
    }
}

#[test]
fn s73_peer_curl_is_told_of_a_token_that_is_refused() {
    let (office, serving, issuer) = open(&corpus::messages(1));
    for token in [issuer.token("mallory", 0), Issuer::new().token("alice", 0)] {
        let said = curl(&office, &serving, &token, &["--sasl-ir"]);
        assert_eq!(said.status.code(), Some(67), "login denied: {}", said.stderr);
        // RFC 7628 section 3.2.3: it learns why, and answers that.
        assert!(said.stderr.contains("> AQ==") && said.stderr.contains("< -ERR [AUTH]"));
    }
}

#[test]
fn s73_peer_mpop_logs_in_by_oauthbearer_and_xoauth2() {
    for mechanism in ["oauthbearer", "xoauth2"] {
        let messages = corpus::messages(2);
        let (office, serving, issuer) = open(&messages);
        let refused = mpop(&office, &serving, &issuer.token("mallory", 0), mechanism);
        assert!(!refused.status.success() && text(&refused).contains("[AUTH]"));
        let said = mpop(&office, &serving, &issuer.token("alice", 0), mechanism).success("mpop");
        let used = format!("AUTH {}", mechanism.to_ascii_uppercase());
        assert!(text(&said).contains(&used), "{}", text(&said));
        let sent: Vec<_> =
            messages.iter().map(|message| maildir::raw_print(&maildir::with_lf(message))).collect();
        let stored: Vec<_> = maildir::contents(&office.folder().join("inbox"))
            .iter()
            .map(|message| maildir::raw_print(message))
            .collect();
        maildir::assert_same_heap(&stored, &sent, mechanism);
    }
}

pub(crate) struct Issuer(EncodingKey);

impl Issuer {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self(EncodingKey::from_ec_der(&key.serialize_der()))
    }

    /// A token for `user`, with so many octets of ballast.
    pub(crate) fn token(&self, user: &str, ballast: usize) -> String {
        let claims = json!({
            "iss": "https://id.example", "aud": "mail", "sub": user, "exp": 9_999_999_999_u64,
            "groups": "g".repeat(ballast),
        });
        encode(&Header::new(Algorithm::ES256), &claims, &self.0).unwrap()
    }
}

/// An office that takes an issuer's tokens.
pub(crate) fn open<M: AsRef<[u8]>>(messages: &[M]) -> (Office, Serving, Issuer) {
    let office = Office::with_mail(messages);
    let issuer = Issuer::new();
    let keys = vec![Jwk::from_encoding_key(&issuer.0, Algorithm::ES256).unwrap()];
    let jwks = serde_json::to_vec(&JwkSet { keys }).unwrap();
    fs::write(office.folder().join("jwks.json"), jwks).unwrap();
    let file = office.folder().join("restante.toml");
    let config = "[oauth]\njwks = \"jwks.json\"\nissuer = \"https://id.example\"\n\
        audience = \"mail\"\nuser_claim = \"sub\"\n";
    fs::write(&file, config).unwrap();
    let mut command = office.serve_command();
    command.arg("--config").arg(file);
    let serving = office.serve_under(command);
    (office, serving, issuer)
}

/// curl fetches the first message with this token.
pub(crate) fn curl(office: &Office, serving: &Serving, token: &str, initial: &[&str]) -> Ended {
    process::need("curl");
    let mut command = Command::new("curl");
    command.args(["--disable", "--silent", "--verbose", "--user", "alice:", "--oauth2-bearer"]);
    command.arg(token).args(["--login-options", "AUTH=OAUTHBEARER", "--cacert"]);
    command.arg(&serving.certificate).args(initial);
    command.arg(format!("pop3s://localhost:{}/1", serving.pop3s.port()));
    process::run("curl", office.folder(), &mut command)
}

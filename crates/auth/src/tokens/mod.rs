//! Checks the tokens of an OAuth issuer: signed ones (JWT, RFC 7519, RFC 9068, RFC 8725), or any it
//! answers for (RFC 7662).
//!
//! In: a token, and the name, host and port that the client gave. Out: the name of the user the
//! token is for, or the [`Fault`] for which it is not good. What fails is having the keys, or
//! asking the issuer; that is never the token's fault. `published` and `introspection` are what
//! speaks to the issuer, over `restante_http`.

mod claims;
#[cfg(test)]
mod double;
mod introspection;
mod keys;
mod published;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jsonwebtoken::{Validation, decode, decode_header};
use restante_host::{Host, durable};
use restante_http::Client;
use restante_proto::{Login, Secret};
use serde_json::{Map, Value};

pub(crate) use claims::Fault;
use introspection::Introspection;
use keys::Keys;
use published::Published;

use crate::pool::Pool;
use crate::reread::Reread;

/// Whose tokens are taken, and what they must say.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// How it is known that a token is the issuer's.
    pub proof: Proof,
    /// What a token's `iss` must be. Signed tokens need one.
    pub issuer: Option<String>,
    /// What must be among a token's `aud`. Signed tokens need one: they are not for us otherwise.
    pub audience: Option<String>,
    /// The claim that holds the user's name.
    pub user_claim: String,
    /// Whether users get in who are not in the user database.
    pub any_user: bool,
    /// The host names a client may say its token is for, where it says so; empty is any.
    pub hosts: Vec<String>,
    /// The ports, likewise.
    pub ports: Vec<u16>,
}

/// How it is known that a token is the issuer's.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By the public keys in a file (JWKS, RFC 7517).
    KeysIn(PathBuf),
    /// By the public keys that the issuer publishes.
    KeysAt {
        /// Where.
        url: String,
        /// What fetches them.
        http: Client,
    },
    /// By asking the issuer (RFC 7662).
    Asking {
        /// Where.
        url: String,
        /// What asks.
        http: Client,
        /// Who we are to the issuer.
        client_id: String,
        /// How it knows us.
        client_secret: Secret<String>,
    },
}

/// The checker of one issuer's tokens.
#[derive(Debug)]
pub struct Tokens {
    host: Host,
    issuer: Issuer,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File { path: PathBuf, keys: Reread<Keys> },
    Published(Arc<Published>),
    Introspection(Introspection),
}

impl Tokens {
    /// Takes tokens of `issuer`. Keys that are published elsewhere are not waited for.
    ///
    /// # Errors
    /// When the file of keys cannot be read, or has none that can be used; when signed tokens
    /// would be taken of any issuer, or for anybody; when there is no randomness.
    pub fn new(host: Host, issuer: Issuer) -> io::Result<Self> {
        let by_keys = !matches!(issuer.proof, Proof::Asking { .. });
        if by_keys && (issuer.issuer.is_none() || issuer.audience.is_none()) {
            let problem = "signed tokens need the name of their issuer, and an audience";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let source = match &issuer.proof {
            Proof::KeysIn(path) => {
                let keys = Reread::new();
                read(&host, path, &keys)?;
                Source::File { path: path.clone(), keys }
            }
            Proof::KeysAt { url, http } => {
                let clock = Arc::clone(&host.clock);
                Source::Published(Arc::new(Published::new(http.clone(), url.clone(), clock)))
            }
            Proof::Asking { url, http, client_id, client_secret } => {
                let me = introspection::credentials(client_id, client_secret);
                let asking = Introspection::new(&host, http.clone(), url.clone(), me)?;
                Source::Introspection(asking)
            }
        };
        Ok(Self { host, issuer, source })
    }

    /// Fetches the issuer's keys before the first login needs them. Needs a tokio runtime.
    pub fn fetch_ahead(&self) {
        if let Source::Published(published) = &self.source {
            published.refresh_aside();
        }
    }

    /// Whether users get in who are not in the user database.
    pub(crate) const fn any_user(&self) -> bool {
        self.issuer.any_user
    }

    /// Whose token a login brings.
    pub(crate) async fn user(
        self: &Arc<Self>,
        login: &Login,
        pool: &Pool,
    ) -> io::Result<Result<String, Fault>> {
        let Login::Token { user: named, token, host, port, .. } = login else {
            return Ok(Err(Fault::Malformed));
        };
        if !self.issuer.is_for(host.as_deref(), *port) {
            return Ok(Err(Fault::Place));
        }
        let user = match &self.source {
            Source::Introspection(asking) => {
                asking.user(token, |claims| self.judge(claims)).await?
            }
            Source::File { .. } => {
                let (tokens, token) = (Arc::clone(self), token.clone());
                pool.run(move || tokens.signed_by_file(token.expose())).await.flatten()?
            }
            Source::Published(published) => {
                let id = decode_header(token.expose()).map(|header| header.kid);
                let Ok(id) = id else { return Ok(Err(Fault::Malformed)) };
                let keys = published.keys(id.as_deref()).await?;
                let (tokens, token) = (Arc::clone(self), token.clone());
                pool.run(move || tokens.signed(&keys, token.expose())).await?
            }
        };
        Ok(user.and_then(|user| match named {
            Some(named) if *named != user => Err(Fault::OtherUser),
            _ => Ok(user),
        }))
    }

    /// Whose token this is, by the file of keys. Blocks.
    fn signed_by_file(&self, token: &str) -> io::Result<Result<String, Fault>> {
        match &self.source {
            Source::File { path, keys } => {
                let keys = read(&self.host, path, keys)?;
                Ok(self.signed(&keys, token))
            }
            _ => Ok(Err(Fault::UnknownKey)),
        }
    }

    /// Whose token this is, by these keys.
    fn signed(&self, keys: &Keys, token: &str) -> Result<String, Fault> {
        let header = decode_header(token).map_err(|_| Fault::Malformed)?;
        if header.crit.is_some() {
            // An extension that must be understood, and is not (RFC 7515 section 4.1.11).
            return Err(Fault::Critical);
        }
        let mut fault = Fault::UnknownKey;
        for key in keys.named(header.kid.as_deref()) {
            let mut wanted = Validation::new(key.algorithm);
            // What a token says is looked at here: the library has a clock of its own, and no
            // words for what is wrong.
            wanted.required_spec_claims.clear();
            wanted.validate_exp = false;
            wanted.validate_nbf = false;
            wanted.validate_aud = false;
            match decode::<Map<String, Value>>(token, &key.key, &wanted) {
                Ok(token) => return self.judge(&token.claims),
                Err(_) => fault = Fault::Signature,
            }
        }
        Err(fault)
    }

    /// Whom claims are good for that are known to be the issuer's.
    fn judge(&self, claims: &Map<String, Value>) -> Result<String, Fault> {
        self.issuer.user_in(claims, self.host.clock.wall())
    }
}

fn read(host: &Host, path: &Path, keys: &Reread<Keys>) -> io::Result<Arc<Keys>> {
    keys.get(host, path, |_| Keys::parse(&durable::read(&*host.fs, path, JWKS_OCTETS_MAX)?))
}

const JWKS_OCTETS_MAX: u64 = 1024 * 1024;

#[cfg(test)]
pub(crate) mod tests {
    use std::time::{Duration, SystemTime};

    use jsonwebtoken::jwk::{Jwk, JwkSet};
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// An issuer of one key.
    pub(crate) struct Signer {
        pub(crate) dir: TempDir,
        key: EncodingKey,
        algorithm: Algorithm,
    }

    impl Signer {
        pub(crate) fn new(algorithm: Algorithm) -> Self {
            let kind = match algorithm {
                Algorithm::RS256 => &rcgen::PKCS_RSA_SHA256,
                Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
                _ => &rcgen::PKCS_ED25519,
            };
            let pair = rcgen::KeyPair::generate_for(kind).unwrap();
            let der = pair.serialize_der();
            let key = match algorithm {
                // PKCS #8 is PKCS #1 behind 26 octets.
                Algorithm::RS256 => EncodingKey::from_rsa_der(&der[26..]),
                Algorithm::ES256 => EncodingKey::from_ec_der(&der),
                _ => EncodingKey::from_ed_der(&der),
            };
            let mut jwk = match algorithm {
                Algorithm::EdDSA => {
                    let x = restante_proto::sasl::encode(pair.public_key_raw()).expose().clone();
                    let x = x.trim_end_matches('=').replace('+', "-").replace('/', "_");
                    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
                    serde_json::from_value(jwk).unwrap()
                }
                _ => Jwk::from_encoding_key(&key, algorithm).unwrap(),
            };
            jwk.common.key_id = Some("k1".to_owned());
            let signer = Self { dir: tempfile::tempdir().unwrap(), key, algorithm };
            let set = serde_json::to_vec(&JwkSet { keys: vec![jwk] }).unwrap();
            std::fs::write(signer.jwks(), set).unwrap();
            signer
        }

        pub(crate) fn jwks(&self) -> PathBuf {
            self.dir.path().join("jwks.json")
        }

        pub(crate) fn issuer(&self) -> Issuer {
            Issuer {
                proof: Proof::KeysIn(self.jwks()),
                issuer: Some("https://id.example".to_owned()),
                audience: Some("mail".to_owned()),
                user_claim: "email".to_owned(),
                any_user: false,
                hosts: Vec::new(),
                ports: Vec::new(),
            }
        }

        pub(crate) fn tokens(&self) -> Tokens {
            Tokens::new(Host::real(), self.issuer()).unwrap()
        }

        /// A good token with some claims changed, or taken away by null.
        pub(crate) fn token(&self, changes: Value) -> String {
            let mut claims = json!({
                "iss": "https://id.example", "aud": "mail", "email": "fred", "exp": seconds(300)
            });
            for (name, value) in changes.as_object().unwrap() {
                let claims = claims.as_object_mut().unwrap();
                claims.remove(name);
                if !value.is_null() {
                    claims.insert(name.clone(), value.clone());
                }
            }
            encode(&Header::new(self.algorithm), &claims, &self.key).unwrap()
        }
    }

    fn whose(tokens: &Tokens, token: &str) -> Result<String, Fault> {
        tokens.signed_by_file(token).unwrap()
    }

    /// Seconds from now, as a claim has them.
    fn seconds(from_now: i64) -> i64 {
        let now = restante_host::Clock::wall(&restante_host::HostClock);
        let now: Duration = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(now.as_secs()).unwrap() + from_now
    }

    #[test]
    fn s73_each_algorithm_is_checked_with_its_own_kind_of_key() {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            let (signer, other) = (Signer::new(algorithm), Signer::new(algorithm));
            let tokens = signer.tokens();
            let good = signer.token(json!({}));
            assert_eq!(whose(&tokens, &good), Ok("fred".to_owned()), "{algorithm:?}");
            let foreign = whose(&tokens, &other.token(json!({})));
            assert_eq!(foreign, Err(Fault::Signature), "{algorithm:?}");
        }
    }

    #[test]
    fn s73_a_token_must_be_of_this_issuer_for_us_and_in_time() {
        let signer = Signer::new(Algorithm::ES256);
        let tokens = signer.tokens();
        for (changes, fault) in [
            (json!({"aud": ["web", "mail"]}), None),
            (json!({"exp": seconds(-30)}), None),
            (json!({"nbf": seconds(30)}), None),
            (json!({"email_verified": true}), None),
            (json!({"aud": "web"}), Some(Fault::Audience)),
            (json!({"aud": null}), Some(Fault::Audience)),
            (json!({"aud": 1}), Some(Fault::Audience)),
            (json!({"iss": "https://id.example/"}), Some(Fault::Issuer)),
            (json!({"iss": null}), Some(Fault::Issuer)),
            (json!({"exp": seconds(-90)}), Some(Fault::Expired)),
            (json!({"exp": null}), Some(Fault::Expired)),
            (json!({"exp": "never"}), Some(Fault::Expired)),
            (json!({"nbf": seconds(90)}), Some(Fault::TooEarly)),
            (json!({"nbf": "x"}), Some(Fault::TooEarly)),
            (json!({"email": null}), Some(Fault::NoUser)),
            (json!({"email": ""}), Some(Fault::NoUser)),
            (json!({"email": ["fred"]}), Some(Fault::NoUser)),
            (json!({"email_verified": false}), Some(Fault::Unverified)),
            (json!({"email_verified": "true"}), Some(Fault::Unverified)),
        ] {
            let user = whose(&tokens, &signer.token(changes.clone()));
            assert_eq!(user.err(), fault, "{changes}");
        }
    }

    #[test]
    fn s73_a_token_does_not_choose_its_algorithm_or_its_key() {
        let signer = Signer::new(Algorithm::RS256);
        let tokens = signer.tokens();
        let claims = json!({
            "iss": "https://id.example", "aud": "mail", "email": "fred", "exp": seconds(300)
        });
        // The public key as the secret of an HMAC: the oldest of tricks.
        let public = std::fs::read(signer.jwks()).unwrap();
        let hmac = EncodingKey::from_secret(&public);
        let forged = encode(&Header::new(Algorithm::HS256), &claims, &hmac).unwrap();
        let good = signer.token(json!({}));
        let (head, _) = good.rsplit_once('.').unwrap();
        // {"alg":"none"}
        let (_, body) = head.split_once('.').unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{body}.");
        let unknown = Header { kid: Some("k2".to_owned()), ..Header::new(Algorithm::RS256) };
        let unknown = encode(&unknown, &claims, &signer.key).unwrap();
        let known = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::RS256) };
        let known = encode(&known, &claims, &signer.key).unwrap();
        let critical =
            Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(Algorithm::RS256) };
        let critical = encode(&critical, &claims, &signer.key).unwrap();
        for bad in [&forged, &none, &unknown, &critical, head, "", "a.b.c", "."] {
            assert!(whose(&tokens, bad).is_err(), "{bad}");
        }
        assert_eq!(whose(&tokens, &known), Ok("fred".to_owned()));
    }

    #[test]
    fn keys_are_read_again_and_a_file_without_any_is_an_error() {
        let (old, new) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
        let tokens = old.tokens();
        std::fs::copy(new.jwks(), old.jwks()).unwrap();
        assert_eq!(whose(&tokens, &old.token(json!({}))), Err(Fault::Signature));
        assert!(whose(&tokens, &new.token(json!({}))).is_ok());
        for bad in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"] {
            std::fs::write(old.jwks(), bad).unwrap();
            assert!(tokens.signed_by_file(&new.token(json!({}))).is_err(), "{bad}");
            assert!(Tokens::new(Host::real(), old.issuer()).is_err(), "{bad}");
        }
        for without in
            [Issuer { issuer: None, ..new.issuer() }, Issuer { audience: None, ..new.issuer() }]
        {
            assert!(Tokens::new(Host::real(), without).is_err());
        }
    }
}

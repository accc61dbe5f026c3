//! Checks the tokens of an OAuth issuer: signed JWTs (RFC 7519, RFC 9068, RFC 8725).
//!
//! In: a token, and the name the client gave. Out: the name of the user the token is for, or none
//! when it is not good: wrongly signed, out of date, for another audience, by another issuer, or
//! for another user. What fails is reading the keys.

use std::io;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use jsonwebtoken::{Validation, decode, decode_header};
use restante_host::{Host, durable};
use serde_json::{Map, Value};

use crate::keys::Keys;
use crate::reread::Reread;

/// Whose tokens are taken, and what they must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The file with the issuer's public keys (JWKS, RFC 7517).
    pub jwks: PathBuf,
    /// What a token's `iss` must be.
    pub issuer: String,
    /// What must be among a token's `aud`.
    pub audience: String,
    /// The claim that holds the user's name.
    pub user_claim: String,
    /// Whether users get in who are not in the user database.
    pub any_user: bool,
}

/// The checker of one issuer's tokens.
#[derive(Debug)]
pub struct Tokens {
    host: Host,
    issuer: Issuer,
    keys: Reread<Keys>,
}

impl Tokens {
    /// Takes tokens of `issuer`.
    ///
    /// # Errors
    /// When the keys cannot be read, or there are none that can be used.
    pub fn new(host: Host, issuer: Issuer) -> io::Result<Self> {
        let tokens = Self { host, issuer, keys: Reread::new() };
        tokens.keys()?;
        Ok(tokens)
    }

    /// Whether users get in who are not in the user database.
    pub(crate) const fn any_user(&self) -> bool {
        self.issuer.any_user
    }

    /// Whose token this is; none when it is not good, or not of the user `named`. Blocks.
    pub(crate) fn user(&self, token: &str, named: Option<&str>) -> io::Result<Option<String>> {
        let keys = self.keys()?;
        let Some(claims) = self.claims(&keys, token) else { return Ok(None) };
        let user = self.named_in(&claims).filter(|user| named.is_none_or(|named| named == *user));
        Ok(user.filter(|_| self.is_in_time(&claims)).map(str::to_owned))
    }

    /// What a token says, if the issuer signed it for us.
    fn claims(&self, keys: &Keys, token: &str) -> Option<Map<String, Value>> {
        let header = decode_header(token).ok()?;
        if header.crit.is_some() {
            // An extension that must be understood, and is not (RFC 7515 section 4.1.11).
            return None;
        }
        keys.named(header.kid.as_deref()).find_map(|key| {
            let mut wanted = Validation::new(key.algorithm);
            wanted.set_required_spec_claims(&["exp", "iss", "aud"]);
            wanted.set_issuer(&[&self.issuer.issuer]);
            wanted.set_audience(&[&self.issuer.audience]);
            // The library has a clock of its own; the times are looked at here.
            wanted.validate_exp = false;
            wanted.validate_nbf = false;
            decode(token, &key.key, &wanted).ok().map(|token| token.claims)
        })
    }

    fn named_in<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a str> {
        if self.issuer.user_claim == "email"
            && claims.get("email_verified").is_some_and(|verified| verified != &Value::Bool(true))
        {
            // Anybody may have typed that address.
            return None;
        }
        claims.get(&self.issuer.user_claim)?.as_str().filter(|user| !user.is_empty())
    }

    fn is_in_time(&self, claims: &Map<String, Value>) -> bool {
        let Ok(now) = self.host.clock.wall().duration_since(UNIX_EPOCH) else { return false };
        let now = now.as_secs_f64();
        let at = |claim| claims.get(claim).map(Value::as_f64);
        let ends = matches!(at("exp"), Some(Some(exp)) if now < exp + LEEWAY_S);
        let begun = match at("nbf") {
            None => true,
            Some(begin) => begin.is_some_and(|begin| begin <= now + LEEWAY_S),
        };
        ends && begun
    }

    fn keys(&self) -> io::Result<std::sync::Arc<Keys>> {
        let path = &self.issuer.jwks;
        self.keys.get(&self.host, path, |_| {
            Keys::parse(&durable::read(&*self.host.fs, path, JWKS_OCTETS_MAX)?)
        })
    }
}

/// Clocks differ.
const LEEWAY_S: f64 = 60.0;
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
                jwks: self.jwks(),
                issuer: "https://id.example".to_owned(),
                audience: "mail".to_owned(),
                user_claim: "email".to_owned(),
                any_user: false,
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
            let fred = Some("fred".to_owned());
            assert_eq!(tokens.user(&good, None).unwrap(), fred, "{algorithm:?}");
            assert_eq!(tokens.user(&good, Some("fred")).unwrap(), fred, "{algorithm:?}");
            assert_eq!(tokens.user(&good, Some("anna")).unwrap(), None, "{algorithm:?}");
            assert_eq!(tokens.user(&other.token(json!({})), None).unwrap(), None, "{algorithm:?}");
        }
    }

    #[test]
    fn s73_a_token_must_be_of_this_issuer_for_us_and_in_time() {
        let signer = Signer::new(Algorithm::ES256);
        let tokens = signer.tokens();
        for (changes, good) in [
            (json!({"aud": ["web", "mail"]}), true),
            (json!({"exp": seconds(-30)}), true),
            (json!({"nbf": seconds(30)}), true),
            (json!({"email_verified": true}), true),
            (json!({"aud": "web"}), false),
            (json!({"aud": null}), false),
            (json!({"aud": 1}), false),
            (json!({"iss": "https://id.example/"}), false),
            (json!({"iss": null}), false),
            (json!({"exp": seconds(-90)}), false),
            (json!({"exp": null}), false),
            (json!({"exp": "never"}), false),
            (json!({"nbf": seconds(90)}), false),
            (json!({"nbf": "x"}), false),
            (json!({"email": null}), false),
            (json!({"email": ""}), false),
            (json!({"email": ["fred"]}), false),
            (json!({"email_verified": false}), false),
            (json!({"email_verified": "true"}), false),
        ] {
            let user = tokens.user(&signer.token(changes.clone()), None).unwrap();
            assert_eq!(user.is_some(), good, "{changes}");
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
            assert_eq!(tokens.user(bad, None).unwrap(), None, "{bad}");
        }
        assert_eq!(tokens.user(&known, None).unwrap(), Some("fred".to_owned()));
    }

    #[test]
    fn keys_are_read_again_and_a_file_without_any_is_an_error() {
        let (old, new) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
        let tokens = old.tokens();
        std::fs::copy(new.jwks(), old.jwks()).unwrap();
        assert_eq!(tokens.user(&old.token(json!({})), None).unwrap(), None);
        assert!(tokens.user(&new.token(json!({})), None).unwrap().is_some());
        for bad in ["", "{}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}"] {
            std::fs::write(old.jwks(), bad).unwrap();
            assert!(tokens.user(&new.token(json!({})), None).is_err(), "{bad}");
            assert!(Tokens::new(Host::real(), old.issuer()).is_err(), "{bad}");
        }
    }
}

//! The server's side: two rounds around one question.
//!
//! ```text
//! First --client-first--> KeysWanted --keys--> Final --client-final--> proven, or not
//! ```
//! A user that does not exist has keys too, which no password fits: everything up to the end is
//! as with one that does.

use std::fmt;

use super::super::{Exchange, Fault, Mechanism, Step, encode};
use super::message::{ClientFinal, ClientFirst, Flag};
use super::{ScramHash, ScramKeys, TLS_EXPORTER};
use crate::{Login, Secret};

/// The client's first message is awaited.
#[derive(Debug)]
pub(in super::super) struct First {
    pub(in super::super) mechanism: Mechanism,
    pub(in super::super) hash: ScramHash,
    /// Whether the mechanism is a `-PLUS`.
    pub(in super::super) plus: bool,
    /// The server's part of the nonce.
    pub(in super::super) nonce: String,
    /// The connection's channel binding, where it has one and `-PLUS` is therefore offered.
    pub(in super::super) binding: Option<Secret<Vec<u8>>>,
}

/// The user's keys are wanted to go on.
#[derive(Debug)]
pub struct KeysWanted {
    hash: ScramHash,
    user: String,
    exchange: Kept,
}

/// The client's final message is awaited.
#[derive(Debug)]
pub(in super::super) struct Final {
    keys: ScramKeys,
    user: String,
    server_first: String,
    exchange: Kept,
}

/// What the client's first message leaves behind.
struct Kept {
    mechanism: Mechanism,
    /// What `c=` must be: the header and the channel binding.
    channel: Secret<Vec<u8>>,
    client_first_bare: String,
    /// Both parts.
    nonce: String,
}

impl First {
    pub(in super::super) fn respond(self, response: &[u8]) -> Step {
        let Some(first) = ClientFirst::parse(response) else {
            return Step::Refused(Fault::Malformed(self.mechanism));
        };
        let bound = match (first.flag, self.plus, self.binding) {
            (Flag::Used(TLS_EXPORTER), true, Some(binding)) => Some(binding),
            (Flag::No, false, _) | (Flag::NotOffered, false, None) => None,
            // The client would have used it: somebody took it out of what the server offers.
            (Flag::NotOffered, false, Some(_)) => return Step::Refused(Fault::Downgrade),
            _ => return Step::Refused(Fault::ChannelBinding),
        };
        if first.authorization.as_ref().is_some_and(|other| *other != first.user) {
            return Step::Refused(Fault::OtherUser);
        }
        let bound = bound.as_ref().map(|bound| bound.expose().as_slice()).unwrap_or_default();
        let exchange = Kept {
            mechanism: self.mechanism,
            channel: Secret::new([first.header.as_bytes(), bound].concat()),
            client_first_bare: first.bare.to_owned(),
            nonce: [first.nonce, &self.nonce].concat(),
        };
        Step::Keys(KeysWanted { hash: self.hash, user: first.user, exchange })
    }
}

impl KeysWanted {
    /// Whose keys.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// For which hash function.
    #[must_use]
    pub const fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Goes on with the user's keys.
    #[must_use]
    pub fn go_on(self, keys: ScramKeys) -> Step {
        let salt = encode(keys.salt());
        let nonce = &self.exchange.nonce;
        let server_first = format!("r={nonce},s={},i={}", salt.expose(), keys.iterations());
        let challenge = Secret::new(server_first.clone().into_bytes());
        let last = Final { keys, user: self.user, server_first, exchange: self.exchange };
        Step::Challenge(challenge, Exchange::scram_final(last))
    }
}

impl Final {
    pub(in super::super) fn respond(self, response: &[u8]) -> Step {
        let Kept { mechanism, channel, client_first_bare, nonce } = self.exchange;
        let last = ClientFinal::parse(response).filter(|last| last.nonce == nonce);
        let Some(last) = last else { return Step::Refused(Fault::Malformed(mechanism)) };
        if last.channel != channel {
            return Step::Refused(Fault::ChannelBinding);
        }
        let auth_message =
            format!("{client_first_bare},{},{}", self.server_first, last.without_proof);
        let auth_message = auth_message.as_bytes();
        if !self.keys.are_proven_by(last.proof.expose(), auth_message) {
            return Step::Login(Login::Proof { user: self.user, proven: false });
        }
        let signature = encode(self.keys.signature(auth_message).expose());
        let verdict = Secret::new(format!("v={}", signature.expose()).into_bytes());
        // POP3 has no place for it in "+OK" (RFC 5034 section 4): the client answers it first.
        Step::Challenge(verdict, Exchange::scram_verdict(mechanism, self.user))
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.mechanism)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::super::super::Context;
    use super::*;

    struct Vector {
        mechanism: Mechanism,
        hash: ScramHash,
        salt: &'static str,
        client_nonce: &'static str,
        server_nonce: &'static str,
        proof: &'static str,
        verdict: &'static str,
    }

    /// RFC 7677 section 3.
    const SHA_256: Vector = Vector {
        mechanism: Mechanism::ScramSha256,
        hash: ScramHash::Sha256,
        salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        verdict: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    };

    /// RFC 5802 section 5.
    const SHA_1: Vector = Vector {
        mechanism: Mechanism::ScramSha1,
        hash: ScramHash::Sha1,
        salt: "QSXCR+Q6sek8bf92",
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        verdict: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    };

    fn begin(mechanism: Mechanism, nonce: &str, binding: Option<&[u8]>, response: &str) -> Step {
        let binding = binding.map(|binding| Secret::new(binding.to_vec()));
        let context = Context { nonce: nonce.to_owned(), binding, certified: Vec::new() };
        Exchange::new(mechanism, context).respond(response.as_bytes())
    }

    fn fault(step: &Step) -> Fault {
        let Step::Refused(fault) = step else { panic!("{step:?}") };
        *fault
    }

    impl Vector {
        fn keys(&self, password: &str) -> ScramKeys {
            let salt = STANDARD.decode(self.salt).unwrap();
            let iterations = NonZero::new(4096).unwrap();
            ScramKeys::derive(self.hash, password.as_bytes(), salt, iterations)
        }

        /// Runs the exchange up to the final message.
        fn to_final(&self, keys: ScramKeys) -> Exchange {
            let first = format!("n,,n=user,r={}", self.client_nonce);
            let step = begin(self.mechanism, self.server_nonce, None, &first);
            let Step::Keys(wanted) = step else { panic!("{step:?}") };
            assert_eq!((wanted.user(), wanted.hash()), ("user", self.hash));
            let Step::Challenge(challenge, last) = wanted.go_on(keys) else { panic!() };
            let expected =
                format!("r={}{},s={},i=4096", self.client_nonce, self.server_nonce, self.salt);
            assert_eq!(challenge.expose(), expected.as_bytes());
            last
        }

        fn last(&self, channel: &str, nonce: &str, proof: &str) -> String {
            format!("c={channel},r={}{nonce},p={proof}", self.client_nonce)
        }
    }

    #[test]
    fn s65_s71_the_vectors_of_the_rfcs_log_in() {
        for vector in [SHA_256, SHA_1] {
            let last = vector.to_final(vector.keys("pencil"));
            let response = vector.last("biws", vector.server_nonce, vector.proof);
            let step = last.respond(response.as_bytes());
            let Step::Challenge(verdict, exchange) = step else { panic!("{step:?}") };
            assert_eq!(verdict.expose(), vector.verdict.as_bytes());
            let step = exchange.respond(b"");
            let Step::Login(Login::Proof { user, proven: true }) = step else { panic!("{step:?}") };
            assert_eq!(user, "user");
        }
    }

    #[test]
    fn s65_only_an_empty_response_follows_the_verdict() {
        let last = SHA_256.to_final(SHA_256.keys("pencil"));
        let response = SHA_256.last("biws", SHA_256.server_nonce, SHA_256.proof);
        let Step::Challenge(_, exchange) = last.respond(response.as_bytes()) else { panic!() };
        assert_eq!(fault(&exchange.respond(b"x")), Fault::Malformed(Mechanism::ScramSha256));
    }

    #[test]
    fn s70_what_does_not_fit_the_first_messages_fails() {
        let (nonce, proof) = (SHA_256.server_nonce, SHA_256.proof);
        let malformed = Fault::Malformed(Mechanism::ScramSha256);
        for (channel, nonce, proof, expected) in [
            ("eSws", nonce, proof, Fault::ChannelBinding),
            ("biwsAA==", nonce, proof, Fault::ChannelBinding),
            ("biws", "", proof, malformed),
            ("biws", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1", proof, malformed),
            ("biws", nonce, "AAAA=", malformed),
        ] {
            let last = SHA_256.to_final(SHA_256.keys("pencil"));
            let response = SHA_256.last(channel, nonce, proof);
            assert_eq!(fault(&last.respond(response.as_bytes())), expected, "{response}");
        }
    }

    #[test]
    fn s70_a_wrong_proof_is_told_as_one() {
        let wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for (password, proof) in
            [("pencil", wrong), ("pencil", "AAAA"), ("pencil", ""), ("Pencil", SHA_256.proof)]
        {
            let last = SHA_256.to_final(SHA_256.keys(password));
            let response = SHA_256.last("biws", SHA_256.server_nonce, proof);
            let step = last.respond(response.as_bytes());
            assert!(matches!(step, Step::Login(Login::Proof { proven: false, .. })), "{step:?}");
        }
    }

    #[test]
    fn s70_s72_flags_and_mechanisms_must_agree() {
        use Mechanism::{ScramSha256, ScramSha256Plus};
        let bound = Some(&[7_u8; 32][..]);
        for (mechanism, binding, flag, expected) in [
            (ScramSha256, None, "n", None),
            (ScramSha256, None, "y", None),
            (ScramSha256, bound, "n", None),
            (ScramSha256, bound, "y", Some(Fault::Downgrade)),
            (ScramSha256, bound, "p=tls-exporter", Some(Fault::ChannelBinding)),
            (ScramSha256Plus, bound, "p=tls-exporter", None),
            (ScramSha256Plus, bound, "p=tls-unique", Some(Fault::ChannelBinding)),
            (ScramSha256Plus, bound, "n", Some(Fault::ChannelBinding)),
            (ScramSha256Plus, bound, "y", Some(Fault::ChannelBinding)),
            (ScramSha256Plus, None, "p=tls-exporter", Some(Fault::ChannelBinding)),
        ] {
            let step = begin(mechanism, "x", binding, &format!("{flag},,n=user,r=abc"));
            match expected {
                Some(expected) => assert_eq!(fault(&step), expected, "{mechanism} {flag}"),
                None => assert!(matches!(step, Step::Keys(_)), "{mechanism} {flag}: {step:?}"),
            }
        }
    }

    #[test]
    fn s70_nobody_acts_for_another_user() {
        let first = |authorization| {
            let first = format!("n,a={authorization},n=user,r=abc");
            begin(Mechanism::ScramSha256, "x", None, &first)
        };
        assert_eq!(fault(&first("other")), Fault::OtherUser);
        assert!(matches!(first("user"), Step::Keys(_)));
    }

    /// The client's proof, computed the way the client does.
    fn proof(hash: ScramHash, keys: &ScramKeys, password: &str, auth_message: &str) -> String {
        let salted = match hash {
            ScramHash::Sha1 => pbkdf2::pbkdf2_hmac_array::<sha1::Sha1, 20>(
                password.as_bytes(),
                keys.salt(),
                keys.iterations().get(),
            )
            .to_vec(),
            ScramHash::Sha256 => pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(
                password.as_bytes(),
                keys.salt(),
                keys.iterations().get(),
            )
            .to_vec(),
        };
        let client_key = hash.hmac(&salted, b"Client Key");
        let stored_key = hash.digest(client_key.expose());
        let signature = hash.hmac(stored_key.expose(), auth_message.as_bytes());
        let proof = client_key.expose().iter().zip(signature.expose()).map(|(a, b)| a ^ b);
        STANDARD.encode(proof.collect::<Vec<_>>())
    }

    #[test]
    fn s72_a_login_holds_for_one_connection_alone() {
        let mechanism = Mechanism::ScramSha1Plus;
        let (here, elsewhere) = ([7_u8; 32], [8_u8; 32]);
        for (connection, good) in [(here, true), (elsewhere, false)] {
            let bare = "n=user,r=abc";
            let first = format!("p=tls-exporter,,{bare}");
            let step = begin(mechanism, "xyz", Some(&connection), &first);
            let Step::Keys(wanted) = step else { panic!("{step:?}") };
            let keys = SHA_1.keys("pencil");
            let Step::Challenge(challenge, last) = wanted.go_on(keys.clone()) else { panic!() };
            let channel = STANDARD.encode([&b"p=tls-exporter,,"[..], &here].concat());
            let without_proof = format!("c={channel},r=abcxyz");
            let server_first = String::from_utf8(challenge.expose().clone()).unwrap();
            let auth_message = format!("{bare},{server_first},{without_proof}");
            let proof = proof(ScramHash::Sha1, &keys, "pencil", &auth_message);
            let step = last.respond(format!("{without_proof},p={proof}").as_bytes());
            match step {
                Step::Challenge(..) => assert!(good),
                step => assert!(!good && fault(&step) == Fault::ChannelBinding, "{step:?}"),
            }
        }
    }

    #[test]
    fn s71_keys_fit_their_password_alone() {
        for vector in [SHA_256, SHA_1] {
            let keys = vector.keys("pencil");
            assert!(keys.fit_password(b"pencil") && !keys.fit_password(b"Pencil"));
            // SASLprep: a soft hyphen is nothing, a Roman nine is IX.
            assert!(vector.keys("I\u{ad}X").fit_password("\u{2168}".as_bytes()));
            assert!(!format!("{keys:?}").contains(vector.salt));
        }
    }
}

//! Asks the issuer about tokens, one by one (RFC 7662).
//!
//! In: a token. Out: what is made of the claims the issuer answers with, or that it is not active.
//! Answers are remembered for a short time, good and bad, so that a polling client does not
//! become a polling server. What fails is asking: no answer in time, or one that is none.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use restante_host::{Clock, Host};
use restante_http::{Client, Request, StatusCode};
use restante_proto::{Secret, sasl};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::Fault;

#[derive(Debug)]
pub(super) struct Introspection {
    http: Client,
    url: String,
    /// Basic credentials (RFC 6749 section 2.3.1).
    me: Secret<String>,
    clock: Arc<dyn Clock>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    /// Tokens are remembered by what they are under this key.
    key: Secret<[u8; 32]>,
}

#[derive(Debug, Clone)]
struct Remembered {
    user: Result<String, Fault>,
    until: Instant,
}

impl Introspection {
    pub(super) fn new(
        host: &Host,
        http: Client,
        url: String,
        me: Secret<String>,
    ) -> io::Result<Self> {
        let mut key = [0; 32];
        host.rng.fill(&mut key)?;
        let clock = Arc::clone(&host.clock);
        Ok(Self { http, url, me, clock, remembered: Mutex::default(), key: Secret::new(key) })
    }

    /// Whose token it is, if `judge` finds nothing wrong with what the issuer says of it.
    pub(super) async fn user(
        &self,
        token: &Secret<String>,
        judge: impl FnOnce(&Map<String, Value>) -> Result<String, Fault>,
    ) -> io::Result<Result<String, Fault>> {
        let print = self.print(token);
        if let Some(known) = self.remembered(&print) {
            return Ok(known);
        }
        let claims = self.ask(token).await?;
        let user = match claims.get("active") {
            Some(Value::Bool(true)) => judge(&claims),
            _ => Err(Fault::Inactive),
        };
        self.remember(print, &user, self.left(&claims));
        Ok(user)
    }

    async fn ask(&self, token: &Secret<String>) -> io::Result<Map<String, Value>> {
        let form = format!("token={}&token_type_hint=access_token", form_encoded(token.expose()));
        let request = Request::post(&self.url)
            .header("Authorization", self.me.expose())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .body(form.into_bytes())
            .map_err(io::Error::other)?;
        let answer = self.http.send(request).await.map_err(io::Error::other)?;
        match answer.status() {
            StatusCode::OK => serde_json::from_slice(answer.body()).map_err(io::Error::other),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(io::Error::other("the issuer refuses our client id and secret"))
            }
            status => Err(io::Error::other(format!("the issuer answered {status}"))),
        }
    }

    fn print(&self, token: &Secret<String>) -> [u8; 32] {
        // HMAC takes keys of any length.
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose());
        let print = mac.map(|mac| mac.chain_update(token.expose()).finalize().into_bytes().into());
        print.unwrap_or_default()
    }

    fn remembered(&self, print: &[u8; 32]) -> Option<Result<String, Fault>> {
        let now = self.clock.monotonic();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(print).filter(|known| known.until > now)?;
        Some(known.user.clone())
    }

    fn remember(&self, print: [u8; 32], user: &Result<String, Fault>, left: Option<Duration>) {
        let now = self.clock.monotonic();
        let time = if user.is_ok() { left.map_or(GOOD, |left| left.min(GOOD)) } else { BAD };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, known| known.until > now);
        }
        // Full of what is still good: the issuer is asked more often, that is all.
        if remembered.len() < REMEMBERED_MAX
            && let Some(until) = now.checked_add(time)
        {
            remembered.insert(print, Remembered { user: user.clone(), until });
        }
    }

    /// How long the token is good yet.
    fn left(&self, claims: &Map<String, Value>) -> Option<Duration> {
        let end = claims.get("exp")?.as_f64()?;
        let now = self.clock.wall().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
        Some(Duration::try_from_secs_f64(end - now).unwrap_or_default())
    }
}

/// What says who we are, as a header has it.
pub(super) fn credentials(id: &str, secret: &Secret<String>) -> Secret<String> {
    let pair = format!("{}:{}", form_encoded(id), form_encoded(secret.expose()));
    Secret::new(format!("Basic {}", sasl::encode(pair.as_bytes()).expose()))
}

/// `application/x-www-form-urlencoded`.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._*".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// How long an answer is good.
const GOOD: Duration = Duration::from_secs(60);
/// The same, when the token is not.
const BAD: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::super::double::{Double, client};
    use super::*;
    use crate::authenticator::tests::HandClock;

    struct Scene {
        double: Double,
        clock: Arc<HandClock>,
        asking: Introspection,
    }

    impl Scene {
        fn new() -> Self {
            let (double, clock) = (Double::new(), Arc::new(HandClock::new()));
            let host = Host { clock: Arc::<HandClock>::clone(&clock), ..Host::real() };
            let me = credentials("me", &Secret::new("x y".to_owned()));
            let asking = Introspection::new(&host, client(), double.url(), me).unwrap();
            Self { double, clock, asking }
        }

        /// Whose token it is; its claim `user` says it.
        async fn user(&self, token: &str) -> io::Result<Result<String, Fault>> {
            let judge = |claims: &Map<String, Value>| {
                claims.get("user").and_then(Value::as_str).map(str::to_owned).ok_or(Fault::NoUser)
            };
            self.asking.user(&Secret::new(token.to_owned()), judge).await
        }
    }

    #[tokio::test]
    async fn s73_the_issuer_is_asked_once_and_its_answer_remembered_for_a_while() {
        let scene = Scene::new();
        scene.double.say(200, r#"{"active":true,"user":"fred"}"#);
        for _ in 0..3 {
            assert_eq!(scene.user("t+/=").await.unwrap(), Ok("fred".to_owned()));
        }
        let asked = scene.double.asked();
        assert_eq!(asked.len(), 1);
        let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /issuer HTTP/1.1"));
        assert!(head.to_ascii_lowercase().contains("authorization: basic bwu6ecuymhk="), "{head}");
        assert_eq!(body, "token=t%2B%2F%3D&token_type_hint=access_token");
        scene.double.say(200, r#"{"active":false,"user":"fred"}"#);
        assert!(scene.user("t+/=").await.unwrap().is_ok(), "remembered");
        scene.clock.advance(GOOD);
        for _ in 0..3 {
            assert_eq!(scene.user("t+/=").await.unwrap(), Err(Fault::Inactive));
        }
        assert_eq!(scene.double.asked().len(), 2, "bad ones are remembered, too");
    }

    #[tokio::test]
    async fn s73_a_token_is_not_remembered_beyond_its_end() {
        let scene = Scene::new();
        // In the clock's past, but the claims are not judged here.
        scene.double.say(200, r#"{"active":true,"user":"fred","exp":1}"#);
        for asked in 1..=3 {
            assert!(scene.user("t").await.unwrap().is_ok());
            assert_eq!(scene.double.asked().len(), asked);
        }
    }

    #[tokio::test]
    async fn r25_what_does_not_say_active_is_not() {
        for (number, claims) in
            ["{}", r#"{"active":"true","user":"fred"}"#, r#"{"active":1}"#].into_iter().enumerate()
        {
            let scene = Scene::new();
            scene.double.say(200, claims);
            assert_eq!(scene.user("t").await.unwrap(), Err(Fault::Inactive), "{number}");
        }
    }

    #[tokio::test]
    async fn s73_an_issuer_that_does_not_answer_is_no_fault_of_the_token() {
        let scene = Scene::new();
        for wrong in
            [Some((500, "{}")), Some((401, "{}")), Some((200, "x")), Some((200, "[]")), None]
        {
            match wrong {
                Some((status, body)) => scene.double.say(status, body),
                None => scene.double.hang_up(),
            }
            assert!(scene.user("t").await.is_err(), "{wrong:?}");
        }
        scene.double.say(200, r#"{"active":true,"user":"fred"}"#);
        assert!(scene.user("t").await.unwrap().is_ok(), "and is asked again");
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let scene = Scene::new();
        for number in 0..REMEMBERED_MAX + 10 {
            let print = scene.asking.print(&Secret::new(number.to_string()));
            scene.asking.remember(print, &Ok("fred".to_owned()), None);
        }
        assert_eq!(scene.asking.remembered.lock().unwrap().len(), REMEMBERED_MAX);
        scene.clock.advance(GOOD);
        let print = scene.asking.print(&Secret::new("new".to_owned()));
        scene.asking.remember(print, &Err(Fault::Inactive), None);
        assert_eq!(scene.asking.remembered.lock().unwrap().len(), 1);
    }

    #[test]
    fn names_and_secrets_may_have_any_letters() {
        let me = credentials("a:b", &Secret::new("p w+\u{e4}".to_owned()));
        // a%3Ab:p%20w%2B%C3%A4
        assert_eq!(me.expose(), "Basic YSUzQWI6cCUyMHclMkIlQzMlQTQ=");
    }
}

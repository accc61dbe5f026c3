//! The keys an issuer publishes at an address (its `jwks_uri`).
//!
//! In: the name of the key a token is signed with. Out: the keys, from memory where they are there.
//! They are fetched again behind a login's back when they are old, and before its eyes when a
//! token names a key they do not have, as issuers change keys; both not too often, whatever
//! clients send. An issuer that is down changes nothing but that: what was fetched stays. What
//! fails is a login before any keys were ever fetched.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use restante_host::Clock;
use restante_http::{Client, Request, StatusCode};
use tracing::{info, warn};

use super::keys::Keys;

#[derive(Debug)]
pub(super) struct Published {
    http: Client,
    url: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Held by who fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<Keys>>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Published {
    pub(super) fn new(http: Client, url: String, clock: Arc<dyn Clock>) -> Self {
        let (state, fetching) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { http, url, clock, state, fetching }
    }

    /// The keys, with the one named `id` among them if the issuer has it.
    pub(super) async fn keys(self: &Arc<Self>, id: Option<&str>) -> io::Result<Arc<Keys>> {
        if let Some(keys) = self.known(id) {
            if self.is_due(|state| state.fetched, FRESH) {
                self.refresh_aside();
            }
            return Ok(keys);
        }
        {
            let _fetching = self.fetching.lock().await;
            // Who waited may find that it was fetched meanwhile.
            if self.known(id).is_none() {
                self.refresh().await;
            }
        }
        let keys = self.state().keys.clone();
        keys.ok_or_else(|| io::Error::other("the issuer's keys could not be fetched yet"))
    }

    /// Fetches the keys without anybody waiting for them.
    pub(super) fn refresh_aside(self: &Arc<Self>) {
        let published = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(_fetching) = published.fetching.try_lock() {
                published.refresh().await;
            }
        });
    }

    fn known(&self, id: Option<&str>) -> Option<Arc<Keys>> {
        let keys = self.state().keys.clone()?;
        let has_it = keys.named(id).next().is_some();
        has_it.then_some(keys)
    }

    /// Fetches the keys, unless that was tried just now.
    async fn refresh(&self) {
        if !self.is_due(|state| state.tried, RETRY) {
            return;
        }
        self.state().tried = Some(self.clock.monotonic());
        match self.fetch().await {
            Ok(keys) => {
                info!(url = self.url, keys = keys.count(), "fetched the issuer's keys");
                let mut state = self.state();
                state.keys = Some(Arc::new(keys));
                state.fetched = Some(self.clock.monotonic());
            }
            Err(error) => {
                let old = self.state().keys.is_some();
                warn!(url = self.url, %error, old, "cannot fetch the issuer's keys");
            }
        }
    }

    async fn fetch(&self) -> io::Result<Keys> {
        let request = Request::get(&self.url)
            .header("Accept", "application/jwk-set+json, application/json")
            .body(Vec::new())
            .map_err(io::Error::other)?;
        let answer = self.http.send(request).await.map_err(io::Error::other)?;
        if answer.status() != StatusCode::OK {
            return Err(io::Error::other(format!("the issuer answered {}", answer.status())));
        }
        Keys::parse(answer.body())
    }

    fn is_due(&self, since: impl FnOnce(&State) -> Option<Instant>, age: Duration) -> bool {
        let now = self.clock.monotonic();
        since(&self.state()).is_none_or(|since| now.saturating_duration_since(since) >= age)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // It is never left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys are fetched again after this time.
const FRESH: Duration = Duration::from_secs(3600);
/// Between two tries, whatever tokens ask for.
const RETRY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

    use super::super::double::{Double, client};
    use super::super::tests::Signer;
    use super::*;
    use crate::authenticator::tests::HandClock;

    /// An issuer, the keys it publishes, and a clock.
    fn scene() -> (Double, Arc<Published>, Arc<HandClock>) {
        let (double, clock) = (Double::new(), Arc::new(HandClock::new()));
        let time = Arc::<HandClock>::clone(&clock);
        let published = Arc::new(Published::new(client(), double.url(), time));
        (double, published, clock)
    }

    fn keys() -> String {
        std::fs::read_to_string(Signer::new(Algorithm::ES256).jwks()).unwrap()
    }

    #[tokio::test]
    async fn s73_keys_are_fetched_once_and_again_for_a_key_that_is_not_there_but_not_often() {
        let (double, published, clock) = scene();
        double.say(200, keys());
        for id in [Some("k1"), None, Some("k1")] {
            published.keys(id).await.unwrap();
        }
        assert_eq!(double.asked().len(), 1);
        assert!(double.asked()[0].starts_with("GET /issuer HTTP/1.1\r\n"));
        // A key that the issuer does not have is looked for, whatever tokens name.
        for id in ["k2", "k3", "k2"] {
            assert!(published.keys(Some(id)).await.unwrap().named(Some(id)).next().is_none());
        }
        assert_eq!(double.asked().len(), 1, "just now they were fetched");
        clock.advance(RETRY);
        double.say(200, keys().replace("k1", "k2"));
        for id in ["k2", "k3", "k4"] {
            let keys = published.keys(Some(id)).await.unwrap();
            assert_eq!(keys.named(Some(id)).count(), usize::from(id == "k2"));
        }
        assert_eq!(double.asked().len(), 2);
    }

    #[tokio::test]
    async fn s73_an_issuer_that_is_down_keeps_its_keys_and_comes_back() {
        let (double, published, clock) = scene();
        assert!(published.keys(Some("k1")).await.is_err());
        double.say(200, keys());
        assert!(published.keys(Some("k1")).await.is_err(), "not tried again so soon");
        assert_eq!(double.asked().len(), 1);
        clock.advance(RETRY);
        assert!(published.keys(Some("k1")).await.is_ok());
        for wrong in [Some((503, "")), Some((200, "rubbish")), Some((200, "{\"keys\":[]}")), None] {
            match wrong {
                Some((status, body)) => double.say(status, body),
                None => double.hang_up(),
            }
            clock.advance(RETRY);
            let before = double.asked().len();
            assert!(published.keys(Some("k9")).await.is_ok(), "the old ones");
            assert_eq!(double.asked().len(), before + 1, "{wrong:?}");
            assert!(published.keys(Some("k1")).await.is_ok());
        }
    }

    #[tokio::test]
    async fn s73_old_keys_serve_while_new_ones_are_fetched() {
        let (double, published, clock) = scene();
        double.say(200, keys());
        published.keys(None).await.unwrap();
        clock.advance(FRESH);
        double.say(200, keys().replace("k1", "k2"));
        assert_eq!(published.keys(None).await.unwrap().named(Some("k1")).count(), 1);
        while published.known(Some("k2")).is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(double.asked().len(), 2);
    }
}

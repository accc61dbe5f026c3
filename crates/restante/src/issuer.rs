//! The OAuth issuer as the configuration describes it.
//!
//! In: the settings of `[oauth]`. Out: the checker of its tokens. What can fail is reading the
//! files they name; whether the issuer can be reached shows later.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use restante_auth::{Issuer, Proof, Tokens};
use restante_host::Host;
use restante_http::Client;
use restante_proto::Secret;

use crate::config::Oauth;
use crate::office::{read_named, read_secret, resolved};

/// The checker of tokens, if any are taken.
pub(crate) fn tokens(host: &Host, oauth: &Oauth) -> anyhow::Result<Option<Tokens>> {
    let proof = match (&oauth.jwks, &oauth.jwks_url, &oauth.introspection_url) {
        (Some(jwks), _, _) => Proof::KeysIn(resolved(jwks)),
        (None, Some(url), _) => Proof::KeysAt { url: url.clone(), http: client(host, oauth)? },
        (None, None, Some(url)) => Proof::Asking {
            url: url.clone(),
            http: client(host, oauth)?,
            client_id: oauth.client_id.clone().unwrap_or_default(),
            client_secret: secret(host, oauth.client_secret_file.as_deref())?,
        },
        (None, None, None) => return Ok(None),
    };
    let issuer = Issuer {
        proof,
        issuer: oauth.issuer.clone(),
        audience: oauth.audience.clone(),
        user_claim: oauth.user_claim.clone(),
        any_user: oauth.any_user,
        hosts: oauth.hosts.clone(),
        ports: oauth.ports.clone(),
    };
    let keys = oauth.jwks.as_ref().map(|jwks| format!(" in {}", jwks.display()));
    let tokens = Tokens::new(host.clone(), issuer);
    tokens
        .map(Some)
        .with_context(|| format!("cannot use the issuer's keys{}", keys.unwrap_or_default()))
}

fn client(host: &Host, oauth: &Oauth) -> anyhow::Result<Client> {
    let read = |file: &Path| {
        read_named(&*host.fs, file, FILE_OCTETS_MAX)
            .with_context(|| format!("cannot read {}", file.display()))
    };
    let ca = oauth.ca.as_deref().map(read).transpose()?;
    Client::new(ca.as_deref(), ANSWER_TIME).context("cannot speak to the OAuth issuer")
}

fn secret(host: &Host, file: Option<&Path>) -> anyhow::Result<Secret<String>> {
    let file = file.context("no file with the client's secret is named")?;
    let secret = read_secret(&*host.fs, file);
    secret.with_context(|| format!("cannot use the client's secret in {}", file.display()))
}

/// How long a login waits for the issuer before it is told to come later.
const ANSWER_TIME: Duration = Duration::from_secs(5);
const FILE_OCTETS_MAX: u64 = 1024 * 1024;

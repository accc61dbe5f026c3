//! The account at the authority (RFC 8555 section 7.3): a key, made once and kept.
//!
//! In: the folder and the authority. Out: the account, from `account.json`, or a new one that is
//! written there before anything is done with it. Another authority has another account.

use std::io;

use instant_acme::{Account, AccountCredentials, NewAccount};
use restante_host::{Host, durable};
use restante_http::Client;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::adapter::Adapter;
use crate::{AcmeError, Wanted};

#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// The account that orders certificates.
pub(crate) async fn open(
    host: &Host,
    http: &Client,
    wanted: &Wanted,
) -> Result<Account, AcmeError> {
    let keeping = |source| AcmeError::Keeping { what: NAME, source };
    let path = wanted.folder.join(NAME);
    let kept = match durable::read(&*host.fs, &path, OCTETS_MAX) {
        Ok(text) => Some(serde_json::from_slice::<Kept>(&text).map_err(|e| keeping(e.into()))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(keeping(error)),
    };
    let builder = Account::builder_with_http(Box::new(Adapter(http.clone())));
    if let Some(kept) = kept.filter(|kept| kept.directory == wanted.directory) {
        return Ok(builder.from_credentials(kept.credentials).await?);
    }
    let contact = wanted.contact.as_ref().map(|contact| format!("mailto:{contact}"));
    let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let directory = wanted.directory.clone();
    let (account, credentials) = builder.create(&new, directory.clone(), None).await?;
    let kept = serde_json::to_vec(&Kept { directory, credentials });
    let kept = kept.map_err(|error| keeping(error.into()))?;
    durable::write(&*host.fs, &path, &kept, 0o600).map_err(keeping)?;
    info!(directory = wanted.directory, "made an account at the authority");
    Ok(account)
}

const NAME: &str = "account.json";
const OCTETS_MAX: u64 = 64 * 1024;

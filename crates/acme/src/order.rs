//! One order (RFC 8555 section 7.4): from names to a certificate with its key.
//!
//! In: an account and names. Out: the chain and the private key, in one PEM text. The key is a new
//! one each time. What can fail is the authority, and its not finding the proofs.

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use std::time::Duration;

use crate::challenges::Challenges;
use crate::{AcmeError, Wanted};

/// Proves the names and fetches a certificate for them.
pub(crate) async fn run(
    account: &Account,
    wanted: &Wanted,
    challenges: &Challenges,
) -> Result<String, AcmeError> {
    let identifiers: Vec<_> = wanted
        .names
        .iter()
        .map(|name| match name.parse() {
            Ok(address) => Identifier::Ip(address),
            Err(_) => Identifier::Dns(name.clone()),
        })
        .collect();
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let proofs = prove(&mut order, challenges).await?;
    let ready = order.poll_ready(&RETRIES).await;
    drop(proofs);
    if !matches!(ready, Ok(OrderStatus::Ready)) {
        return Err(match (refusal(&mut order).await, ready) {
            (Some(refusal), _) => refusal,
            (None, Err(error)) => error.into(),
            (None, Ok(_)) => AcmeError::Timeout,
        });
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(wanted.names.clone())?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&RETRIES).await?;
    Ok(format!("{}\n{}", chain.trim_end(), key.serialize_pem()))
}

/// Puts the proofs up and tells the authority. They are there for as long as what is returned.
async fn prove(order: &mut Order, challenges: &Challenges) -> Result<Vec<Proof>, AcmeError> {
    let mut proofs = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        if authorization.status == AuthorizationStatus::Valid {
            // From an order of a while ago.
            continue;
        }
        let challenge = authorization.challenge(ChallengeType::Http01);
        let mut challenge = challenge.ok_or(AcmeError::NoHttp01)?;
        let token = challenge.token.clone();
        challenges.put(token.clone(), challenge.key_authorization().as_str().to_owned());
        proofs.push(Proof { token, challenges: challenges.clone() });
        challenge.set_ready().await?;
    }
    Ok(proofs)
}

/// Which name the authority does not take for ours, if that is what is wrong.
async fn refusal(order: &mut Order) -> Option<AcmeError> {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let state = authorization.refresh().await.ok()?;
        if let Some(problem) = state.challenges.iter().find_map(|tried| tried.error.as_ref()) {
            return Some(AcmeError::Refused { name, why: problem.to_string() });
        }
    }
    None
}

/// Takes its answer away when it goes.
struct Proof {
    token: String,
    challenges: Challenges,
}

impl Drop for Proof {
    fn drop(&mut self) {
        self.challenges.remove(&self.token);
    }
}

/// How the authority is asked whether it is done.
const RETRIES: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_secs(120));

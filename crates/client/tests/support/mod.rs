//! What the tests of sessions share: the scripted server of `restante-testserver` and whom it
//! speaks with.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

use restante_client::{Credentials, Encryption, Endpoint, Secret};

pub(crate) use restante_testserver::Act::{Expect, ExpectStart, Send, Stall, Tls, Wait};
pub(crate) use restante_testserver::{Act, Authority, Cleartext, serve};

pub(crate) const HOST: &str = "pop.example.org";

pub(crate) fn endpoint(encryption: Encryption, authority: Option<&Authority>) -> Endpoint {
    let mut endpoint = Endpoint::new(HOST, encryption);
    endpoint.ca_file = authority.map(Authority::ca_file);
    endpoint
}

pub(crate) fn secret(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

pub(crate) fn fred(password: &str) -> Credentials {
    user("fred", password)
}

pub(crate) fn user(name: &str, password: &str) -> Credentials {
    Credentials::password(name, secret(password))
}

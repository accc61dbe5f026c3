//! Which certificate a client gets.
//!
//! In: the name the client asks for (SNI, RFC 6066 section 3). Out: the certificate for that name,
//! then one for `*.` and the rest of it, then the default, which is also for clients that name
//! nothing. All of them can be swapped for others at any time: a handshake takes what is in force
//! when it begins, sessions under way notice nothing.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls::Certificate;

/// The certificates in force.
#[derive(Debug)]
pub struct Certificates {
    table: ArcSwap<Table>,
}

#[derive(Debug)]
struct Table {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    /// Serves `default`, and to clients that ask for a name of another one, that. Where two are for
    /// one name, the earlier one counts.
    #[must_use]
    pub fn new<'a>(
        default: &'a Certificate,
        others: impl IntoIterator<Item = &'a Certificate>,
    ) -> Self {
        Self { table: ArcSwap::from_pointee(Table::new(default, others)) }
    }

    /// Serves these from the next handshake on.
    pub fn swap<'a>(
        &self,
        default: &'a Certificate,
        others: impl IntoIterator<Item = &'a Certificate>,
    ) {
        self.table.store(Arc::new(Table::new(default, others)));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.table.load().choose(hello.server_name()))
    }
}

impl Table {
    fn new<'a>(
        default: &'a Certificate,
        others: impl IntoIterator<Item = &'a Certificate>,
    ) -> Self {
        let mut by_name = HashMap::new();
        for certificate in [default].into_iter().chain(others) {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        Self { default: Arc::clone(&default.key), by_name }
    }

    fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || {
                let (_, rest) = name.split_once('.')?;
                self.by_name.get(&format!("*.{rest}"))
            };
            self.by_name.get(&name).or_else(wildcard)
        });
        Arc::clone(found.unwrap_or(&self.default))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Certificate {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = made.signing_key.serialize_pem();
        Certificate::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap()
    }

    #[test]
    fn the_certificate_for_the_name_is_chosen() {
        let main = certificate(&["mail.example.org", "127.0.0.1"]);
        let wild = certificate(&["*.example.net", "example.net"]);
        let late = certificate(&["a.example.net", "mail.example.org"]);
        assert_eq!(main.names().collect::<Vec<_>>(), ["mail.example.org"]);
        let table = Table::new(&main, [&wild, &late]);
        for (name, expected) in [
            (None, &main),
            (Some("mail.example.org"), &main),
            (Some("MAIL.example.ORG"), &main),
            (Some("example.net"), &wild),
            (Some("pop.example.net"), &wild),
            (Some("a.example.net"), &late),
            (Some("b.a.example.net"), &main),
            (Some("example.org"), &main),
            (Some("net"), &main),
        ] {
            assert!(Arc::ptr_eq(&table.choose(name), &expected.key), "{name:?}");
        }
    }

    #[test]
    fn a_certificate_and_another_ones_key_do_not_go_together() {
        let [one, two] =
            [(); 2].map(|()| rcgen::generate_simple_self_signed(["a.b".to_owned()]).unwrap());
        let (chain, key) = (one.cert.pem(), two.signing_key.serialize_pem());
        let error = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(matches!(error, crate::tls::TlsError::Unusable(_)), "{error:?}");
        // A file that is being written.
        let half = &chain.as_bytes()[..chain.len() / 2];
        let own = one.signing_key.serialize_pem();
        for (chain, key) in [(half, own.as_bytes()), (chain.as_bytes(), &own.as_bytes()[..60])] {
            assert!(Certificate::from_pem(chain, key).is_err());
        }
    }
}

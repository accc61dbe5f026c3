//! The certificate in the folder: chain and private key in one file, replaced in one piece.
//!
//! In: the folder. Out: for which names the certificate is, and when it begins and ends. A file
//! that cannot be read as one is as good as none: another will be ordered.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use restante_host::{Fs, durable};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// In lower case; addresses as text.
    pub(crate) names: BTreeSet<String>,
    pub(crate) begins: SystemTime,
    pub(crate) ends: SystemTime,
}

impl Stored {
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join("certificate.pem")
    }

    pub(crate) fn read(fs: &dyn Fs, folder: &Path) -> Option<Self> {
        Self::parse(&durable::read(fs, &Self::path(folder), OCTETS_MAX).ok()?)
    }

    pub(crate) fn write(fs: &dyn Fs, folder: &Path, pem: &str) -> io::Result<()> {
        durable::write(fs, &Self::path(folder), pem.as_bytes(), 0o600)
    }

    pub(crate) fn parse(pem: &[u8]) -> Option<Self> {
        let leaf = CertificateDer::from_pem_slice(pem).ok()?;
        let (_, leaf) = X509Certificate::from_der(&leaf).ok()?;
        let names = leaf.subject_alternative_name().ok()??.value.general_names.iter();
        let names = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => address(octets),
            _ => None,
        });
        let at = |seconds: i64| {
            UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
        };
        let validity = leaf.validity();
        Some(Self {
            names: names.collect(),
            begins: at(validity.not_before.timestamp())?,
            ends: at(validity.not_after.timestamp())?,
        })
    }

    /// Whether it is for these names and no others.
    pub(crate) fn is_for(&self, names: &[String]) -> bool {
        self.names == names.iter().map(|name| name.to_ascii_lowercase()).collect()
    }

    /// When two thirds of its time are over.
    pub(crate) fn renewal(&self) -> SystemTime {
        let lifetime = self.ends.duration_since(self.begins).unwrap_or_default();
        self.begins.checked_add(lifetime / 3 * 2).unwrap_or(self.begins)
    }
}

fn address(octets: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string());
    let v6 =
        || <[u8; 16]>::try_from(octets).map(|octets| std::net::IpAddr::from(octets).to_string());
    v4.or_else(|_| v6()).ok()
}

const OCTETS_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_time() {
        let names = ["POP.example", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let mut params = CertificateParams::new(names.clone()).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 4, 1));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let stored = Stored::parse(pem.as_bytes()).unwrap();
        let days =
            |time: SystemTime| time.duration_since(stored.begins).unwrap().as_secs() / 86_400;
        assert_eq!((days(stored.renewal()), days(stored.ends)), (60, 90));
        let turned = [&names[2], &names[1], &names[0]].map(|name| name.to_lowercase());
        assert!(stored.is_for(&names) && stored.is_for(&turned));
        assert!(!stored.is_for(&names[..2]) && !stored.is_for(&[]));
        for broken in [&pem.as_bytes()[..pem.len() / 2], b"", b"rubbish"] {
            assert_eq!(Stored::parse(broken), None);
        }
    }
}

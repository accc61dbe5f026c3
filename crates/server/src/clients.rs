//! Clients' certificates: which ones are taken, and whom they name (RFC 5280, RFC 8314 section 4.2).
//!
//! In: PEM with the certificates of those who sign, and with what they have revoked; later, a
//! client's certificate that TLS found valid. Out: the verifier of a handshake, and the names in a
//! certificate, from the fields the administrator trusts and no others. A field that is missing,
//! or is not text, gives no name, and so no login.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_USERID;
use x509_parser::prelude::FromDer as _;

use crate::tls::TlsError;

/// Whose signatures under clients' certificates count.
#[derive(Debug, Clone)]
pub struct Clients {
    authorities: Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
    required: bool,
}

/// Where in a certificate a user's name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameField {
    /// The mail addresses among the alternative names (`rfc822Name`).
    Email,
    /// The common name of the subject (`CN`).
    CommonName,
    /// The user id of the subject (`UID`, RFC 4519).
    UserId,
}

impl Clients {
    /// Takes certificates signed by those in `authorities`, unless `revoked` has them: PEM, both.
    /// Where a list of revocations is given, there must be one of every authority in a chain.
    ///
    /// # Errors
    /// [`TlsError::Clients`] says what is wrong with which.
    pub fn from_pem(
        authorities: &[u8],
        revoked: Option<&[u8]>,
        required: bool,
    ) -> Result<Self, TlsError> {
        let bad = |what: &str, why: &dyn std::fmt::Display| {
            TlsError::Clients(format!("not PEM with {what}: {why}"))
        };
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            let authority = authority.map_err(|error| bad("certificates", &error))?;
            roots.add(authority).map_err(|error| bad("certificates", &error))?;
        }
        if roots.is_empty() {
            return Err(bad("certificates", &"there is none in it"));
        }
        let revoked = match revoked {
            Some(pem) => CertificateRevocationListDer::pem_slice_iter(pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| bad("lists of revoked certificates", &error))?,
            None => Vec::new(),
        };
        Ok(Self { authorities: Arc::new(roots), revoked, required })
    }

    /// # Errors
    /// [`TlsError::Clients`] if a list of revocations is none.
    pub(crate) fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let authorities = Arc::clone(&self.authorities);
        let mut verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider)
            .with_crls(self.revoked.iter().cloned());
        if !self.required {
            verifier = verifier.allow_unauthenticated();
        }
        verifier.build().map_err(|error| TlsError::Clients(error.to_string()))
    }
}

/// The names in the first of `fields` that `leaf` has; nothing if its time is over. TLS looked at
/// its signatures.
pub(crate) fn names(
    leaf: &CertificateDer<'_>,
    fields: &[NameField],
    now: SystemTime,
) -> Option<Vec<String>> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let now = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let validity = leaf.validity();
    if !(validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now) {
        return None;
    }
    for field in fields {
        match field.names(&leaf) {
            Some(names) if names.is_empty() => {}
            // What stands there but is no name must not let another field decide.
            names => return Some(names.unwrap_or_default()),
        }
    }
    Some(Vec::new())
}

impl NameField {
    /// What the certificate has there; nothing where a value cannot be a name.
    fn names(self, leaf: &X509Certificate<'_>) -> Option<Vec<String>> {
        match self {
            Self::Email => match leaf.subject_alternative_name() {
                Ok(Some(names)) => {
                    let mails = names.value.general_names.iter().filter_map(|name| match name {
                        GeneralName::RFC822Name(mail) => Some(usable(mail)),
                        _ => None,
                    });
                    mails.collect()
                }
                Ok(None) => Some(Vec::new()),
                Err(_) => None,
            },
            Self::CommonName => {
                let values = leaf.subject().iter_common_name();
                values.map(|value| value.as_str().ok().and_then(usable)).collect()
            }
            Self::UserId => {
                let values = leaf.subject().iter_by_oid(&OID_USERID);
                values.map(|value| value.as_str().ok().and_then(usable)).collect()
            }
        }
    }
}

fn usable(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    const ALL: [NameField; 3] = [NameField::Email, NameField::CommonName, NameField::UserId];

    fn certificate(mails: &[&str], subject: &[(DnType, &str)]) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let mail = |mail: &&str| SanType::Rfc822Name((*mail).try_into().unwrap());
        params.subject_alt_names = mails.iter().map(mail).collect();
        params
    }

    fn signed(params: CertificateParams) -> CertificateDer<'static> {
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn whom(params: CertificateParams, fields: &[NameField]) -> Option<Vec<String>> {
        names(&signed(params), fields, UNIX_EPOCH + Duration::from_secs(1_800_000_000))
    }

    #[test]
    fn s55_r25_the_first_field_that_is_there_names_the_user_and_no_other() {
        let uid = || DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]);
        let (cn, both) = (DnType::CommonName, ["fred@a.example", "f@a.example"]);
        let subject = [(cn.clone(), "Fred"), (uid(), "fred")];
        for (params, fields, expected) in [
            (certificate(&["fred@a.example"], &subject), &ALL[..], &["fred@a.example"][..]),
            (certificate(&both, &subject), &ALL, &both),
            (certificate(&[], &subject), &ALL, &["Fred"]),
            (certificate(&[], &subject[1..]), &ALL, &["fred"]),
            (certificate(&both, &subject), &ALL[2..], &["fred"]),
            (certificate(&both, &[]), &ALL[1..], &[]),
            (certificate(&[], &[]), &ALL, &[]),
            (certificate(&both, &subject), &[], &[]),
            // A name that is none is not passed over.
            (certificate(&["fr\0ed"], &subject), &ALL, &[]),
            (certificate(&[""], &subject), &ALL, &[]),
            (certificate(&[], &[(cn.clone(), "a\nb"), (uid(), "fred")]), &ALL, &[]),
        ] {
            let found = whom(params, fields).unwrap();
            assert_eq!(found, expected, "{fields:?}");
        }
    }

    #[test]
    fn s55_r25_a_field_that_cannot_be_read_gives_no_name() {
        let mut params = certificate(&[], &[(DnType::CommonName, "fred")]);
        let broken = CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 0x7f, 0x01]);
        params.custom_extensions = vec![broken];
        assert_eq!(whom(params, &ALL), Some(Vec::new()));
    }

    #[test]
    fn s55_a_certificate_whose_time_is_over_is_none() {
        let mut params = certificate(&["fred"], &[]);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let leaf = signed(params);
        for (seconds, good) in
            [(1_570_000_000, false), (1_590_000_000, true), (1_610_000_000, false)]
        {
            let now = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(names(&leaf, &ALL, now).is_some(), good, "{seconds}");
        }
        let rubbish = CertificateDer::from(vec![0x30, 0x00]);
        assert_eq!(names(&rubbish, &ALL, UNIX_EPOCH), None);
    }

    #[test]
    fn what_is_no_authority_and_no_list_of_revocations_is_an_error() {
        let pem = signed_pem();
        let key = KeyPair::generate().unwrap().serialize_pem();
        for authorities in ["", "rubbish", pem.get(..pem.len() / 2).unwrap(), &key] {
            assert!(Clients::from_pem(authorities.as_bytes(), None, true).is_err());
        }
        let broken = b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
        let clients = Clients::from_pem(pem.as_bytes(), Some(broken), true).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        assert!(clients.verifier(Arc::clone(&provider)).is_err());
        let clients = Clients::from_pem(pem.as_bytes(), None, true).unwrap();
        assert!(clients.verifier(provider).is_ok());
    }

    fn signed_pem() -> String {
        certificate(&[], &[]).self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }
}

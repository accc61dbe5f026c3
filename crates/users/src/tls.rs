//! TLS towards a user database: the certificate and the name are always checked.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// The certificates in `ca`, a PEM text, or without it those of the authorities the system trusts.
///
/// # Errors
/// When there are none.
pub fn authorities(ca: Option<&[u8]>) -> io::Result<Vec<CertificateDer<'static>>> {
    let authorities = match ca {
        Some(pem) => {
            let certificates = CertificateDer::pem_slice_iter(pem);
            certificates.collect::<Result<_, _>>().map_err(io::Error::other)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    match authorities.is_empty() {
        true => Err(io::Error::other("no certificates of authorities to trust")),
        false => Ok(authorities),
    }
}

/// Trusts the certificates in `ca`, a PEM text, or without it the authorities the system trusts.
///
/// # Errors
/// When there are none.
pub fn client_config(ca: Option<&[u8]>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let (good, bad) = roots.add_parsable_certificates(authorities(ca)?);
    // What the system trusts may hold what nobody can read; what was named may not.
    if good == 0 || (ca.is_some() && bad > 0) {
        return Err(io::Error::other("a certificate of an authority cannot be used"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

//! Pins: a server's key, known beforehand.
//!
//! In: `sha256//` and base64, as curl and HTTP pinning write it. Out: a [`Pin`] that says of a
//! certificate whether it has the key. A pin is asked for besides the certificate's other checks
//! and replaces none of them.

use std::fmt;
use std::str::FromStr;

use restante_proto::sasl;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// The SHA-256 of a public key (`SubjectPublicKeyInfo`, in DER).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// Text that is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pin is \"sha256//\" and 32 octets in base64")]
pub struct BadPin;

impl Pin {
    /// The pin of a certificate; `None` when it cannot be read.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        Some(Self(Sha256::digest(certificate.subject_public_key_info()).into()))
    }
}

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let encoded = text.strip_prefix("sha256//").ok_or(BadPin)?;
        let octets = sasl::decode(encoded.as_bytes()).map_err(|_| BadPin)?;
        octets.expose().as_slice().try_into().map(Self).map_err(|_| BadPin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", sasl::encode(&self.0).expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_pins_are_read_back() {
        let text = "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        for bad in ["", "sha256//", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "sha256//AAEC"]
        {
            assert_eq!(bad.parse::<Pin>(), Err(BadPin), "{bad}");
        }
    }
}

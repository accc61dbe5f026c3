//! A certificate from an authority that speaks ACME (RFC 8555), kept new for as long as the server
//! runs.
//!
//! In: whose names, which authority, and a folder. Out: `certificate.pem` in that folder, with the
//! chain and its private key, replaced in one piece whenever [`Keeper::run`] has a new one; those
//! who serve it watch the folder. The proof that a name is ours is HTTP-01: [`Challenges::serve`]
//! answers on port 80, or where port 80 leads. What fails is tried again, later each time, and
//! [`status()`] tells how things stand, also from another process.

mod account;
mod adapter;
mod challenges;
mod keeper;
mod order;
mod status;
mod stored;

use std::path::PathBuf;

pub use challenges::Challenges;
pub use keeper::Keeper;
pub use status::{Status, status};

/// What is wanted of which authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The address of the authority's directory (RFC 8555 section 7.1.1).
    pub directory: String,
    /// A mail address for the authority, for warnings.
    pub contact: Option<String>,
    /// The names and addresses the certificate is for.
    pub names: Vec<String>,
    /// Where the account and the certificate are kept.
    pub folder: PathBuf,
}

/// There is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcmeError {
    /// The authority, or the way to it.
    #[error("{0}")]
    Authority(#[from] instant_acme::Error),
    /// The authority did not find the proof where it looked.
    #[error("the authority does not accept that {name} is ours: {why}")]
    Refused {
        /// Of which name.
        name: String,
        /// What it says.
        why: String,
    },
    /// There is no way to prove a name that is known here.
    #[error("the authority wants another proof than HTTP-01")]
    NoHttp01,
    /// It took too long.
    #[error("the authority did not get it done in time")]
    Timeout,
    /// The key, or the request with it, could not be made.
    #[error("cannot make a request for a certificate: {0}")]
    Request(#[from] rcgen::Error),
    /// What came is of no use.
    #[error("the authority's certificate cannot be used: {0}")]
    Unusable(String),
    /// The folder cannot be read or written.
    #[error("cannot keep {what}: {source}")]
    Keeping {
        /// What in it.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

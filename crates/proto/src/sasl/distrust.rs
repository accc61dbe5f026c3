//! Why a client breaks a login off.

/// What a server got wrong in a login. Nothing more is said to it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// A challenge that is not strict base64 (RFC 5034 section 4).
    #[error("its challenge is not valid base64")]
    BadBase64,
    /// A challenge where the mechanism has none.
    #[error("it asks for more than the mechanism has")]
    Unexpected,
    /// A challenge that is not what the mechanism says.
    #[error("its challenge is not what the mechanism says")]
    Malformed,
    /// The nonce does not begin with the client's: an answer to somebody else.
    #[error("it answers somebody else's login")]
    Nonce,
    /// So many rounds that their only use is to keep the client busy.
    #[error("it asks for {0} rounds of hashing")]
    Iterations(u32),
    /// The signature is wrong: the server does not know the user's keys.
    #[error("its signature is wrong: it does not know this user's password")]
    Signature,
    /// `+OK` before it has proved that it knows the user's keys.
    #[error("it claims a success it has not proved")]
    Unproven,
}

//! Why a login by SASL ends before anybody is asked whether it is right.

use super::Mechanism;

/// What a client got wrong; the same whether or not there is such a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The response is not what the mechanism says.
    #[error("Not a {0} message")]
    Malformed(Mechanism),
    /// The name is none that can be prepared (RFC 4013), or nothing is left of it.
    #[error("Not a valid user name")]
    Name,
    /// The password is none that can be prepared.
    #[error("Not a valid password")]
    Password,
    /// The client wants another user's maildrop: a right nobody has yet.
    #[error("Not allowed to act for another user")]
    OtherUser,
    /// The channel binding is missing, not the kind the server has, or another connection's.
    #[error("The channel binding does not fit this connection")]
    ChannelBinding,
    /// The client saw no `-PLUS` among the mechanisms, though the server offers it: an attack.
    #[error("Somebody between us hid that the server offers channel binding")]
    Downgrade,
}

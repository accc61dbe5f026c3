//! Why a login by SASL ends before anybody is asked whether it is right.

use super::Mechanism;

/// What a client got wrong; the same whether or not there is such a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The response is not what the mechanism says.
    #[error("Not a {0} message")]
    Malformed(Mechanism),
    /// The client wants another user's maildrop: a right nobody has yet.
    #[error("Not allowed to act for another user")]
    OtherUser,
}

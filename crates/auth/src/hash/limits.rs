//! What a stored hash may cost: a slip of the pen in the file must not take the server's memory,
//! or a thread of it for minutes. Each is far above what anybody recommends.

pub(super) const MEMORY_KIB_MAX: u64 = 1024 * 1024;
pub(super) const ARGON2_PASSES_MAX: u32 = 64;
pub(super) const LANES_MAX: u32 = 64;
pub(super) const BCRYPT_COST_MAX: u32 = 18;
/// Of SHA-crypt, PBKDF2 and SCRAM.
pub(super) const ROUNDS_MAX: u32 = 10_000_000;

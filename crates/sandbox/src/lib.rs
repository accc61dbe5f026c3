//! What a process that runs may still do: as whom, with which files, by which system calls.
//!
//! In: a user's name, the folders the process needs. Out: a process that is that user, reaches
//! those folders and no other file, and can start no program; and a [`FilesInForce`] and
//! [`CallsInForce`] that say how much of it the kernel can do. None of it can be taken back.
//!
//! All of it is for the time after the ports are open and before there is a second thread:
//! Landlock holds for the calling thread and the ones it starts from then on.
//!
//! What fails: a user that does not exist or cannot be assumed ([`IdentityError`]), and a kernel
//! that refuses what it said it can do ([`ConfineError`]). A kernel that lacks a part is no error.

mod calls;
mod files;
mod identity;

pub use calls::{CallsInForce, restrict_calls};
pub use files::{FilesInForce, Reach, restrict_files};
pub use identity::{Identity, IdentityError};

use std::io;

/// The kernel refused a restriction that it knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// Files.
    #[error("cannot restrict the files")]
    Files(#[source] landlock::RulesetError),
    /// System calls.
    #[error("cannot restrict the system calls")]
    Calls(#[source] seccompiler::Error),
    /// The process's own attributes.
    #[error("cannot give up what a new program could gain")]
    Attributes(#[source] io::Error),
}

/// Gives up, for the calling thread and all it starts, what set-user-id programs could give, and
/// keeps the process's memory out of core files and from other processes of its user.
///
/// # Errors
/// [`ConfineError::Attributes`]; no kernel of the last ten years refuses.
pub fn seal() -> Result<(), ConfineError> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    rustix::thread::set_no_new_privs(true)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| ConfineError::Attributes(error.into()))
}

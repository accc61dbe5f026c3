//! The files a process still reaches (Landlock, Linux 5.13 and later).
//!
//! In: folders to read and folders to write. Out: every other file is `EACCES` for the calling
//! thread and those it starts, whatever path, link or descriptor of a folder it is tried by; so
//! are new listening ports (ABI 4) and signals and abstract sockets that lead out (ABI 6). What
//! is open already stays open.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};

use crate::ConfineError;

/// The folders and files a process needs. What does not exist is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// To be read, with all that is in them.
    pub read: Vec<PathBuf>,
    /// To be read and changed, with all that is in them.
    pub write: Vec<PathBuf>,
    /// Whether files are moved from one folder to another. A kernel before 5.19 would permit that
    /// nowhere, so nothing is restricted there.
    pub moves: bool,
}

/// How much of it the kernel can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilesInForce {
    /// Files are restricted, with Landlock's ABI of this number.
    Abi(i32),
    /// The kernel has no Landlock, or it is turned off there.
    Nothing,
    /// Nothing is restricted: the kernel's Landlock would permit no move.
    NoMoves,
}

/// Leaves the calling thread and those it starts with these files.
///
/// # Errors
/// [`ConfineError::Files`] when the kernel has Landlock and refuses all the same.
pub fn restrict_files(reach: &Reach) -> Result<FilesInForce, ConfineError> {
    let rules = Ruleset::default();
    let rules = match reach.moves {
        // A kernel that has no such right refuses every move, so all of it is left.
        true => {
            rules.set_compatibility(CompatLevel::SoftRequirement).handle_access(AccessFs::Refer)
        }
        false => Ok(rules),
    };
    let status = rules
        .map(|rules| rules.set_compatibility(CompatLevel::BestEffort))
        .and_then(|rules| rules.handle_access(AccessFs::from_all(KNOWN)))
        // Ports are open by now; no rule allows another.
        .and_then(|rules| rules.handle_access(AccessNet::BindTcp))
        .and_then(|rules| rules.scope(Scope::from_all(KNOWN)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(&reach.read, to_read())))
        .and_then(|rules| rules.add_rules(path_beneath_rules(&reach.write, to_write())))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(ConfineError::Files)?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::Available { .. }) => FilesInForce::NoMoves,
        (RulesetStatus::NotEnforced, _) => FilesInForce::Nothing,
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            FilesInForce::Abi(kernel_abi.unwrap_or(effective_abi as i32))
        }
        _ => FilesInForce::Nothing,
    })
}

fn to_read() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// A maildrop holds files and folders: no devices, sockets or links are made there.
fn to_write() -> BitFlags<AccessFs> {
    to_read()
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::Refer
}

/// The rights this code knows; a later ABI may have more, which stay as they are.
const KNOWN: ABI = ABI::V6;

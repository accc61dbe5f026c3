//! `restante deliver`: one message from standard input into a user's maildrop.
//!
//! This is what a mail transfer agent's pipe transport calls. Exit code 0 says that the message
//! would survive a power cut; after any other nothing is visible. What may go better later is 75,
//! so that the agent keeps the message and tries again: also a missing data folder or user
//! database, as they may lie on a disk that is not mounted yet.

use std::os::unix::fs::MetadataExt as _;
use std::process::ExitCode;

use anyhow::Context as _;
use restante_maildrop::Owner;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::runtime::Builder;

use crate::config::ConfigError;
use crate::exit::{Code, Failure};
use crate::office::{Office, OfficeArgs};
use crate::postmark::Postmark;
use crate::{command, directory};

/// Flags of `restante deliver`.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The user
    name: String,
    #[command(flatten)]
    office: OfficeArgs,
}

/// Delivers.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let office = Office::new(&args.office).map_err(|error| {
        let later = error.downcast_ref().is_some_and(ConfigError::is_temporary);
        Failure::new(if later { Code::TryAgain } else { Code::Config }, error)
    })?;
    let owner = find(&office, &args.name)?;
    deliver(&office, &owner).map_err(|error| Failure::new(Code::TryAgain, error))?;
    Ok(ExitCode::SUCCESS)
}

/// The user whose mail it is.
fn find(office: &Office, name: &str) -> Result<Owner, Failure> {
    let later = |error| Failure::new(Code::TryAgain, error);
    office.require_data().map_err(later)?;
    let found = match Owner::new(name) {
        Ok(owner) => {
            let users = directory::for_delivery(office).map_err(later)?;
            users.find(&owner).map_err(|error| later(error.into()))?
        }
        Err(_) => None,
    };
    match found {
        Some(record) => Ok(record.account.owner),
        None => Err(Failure::new(Code::NoUser, anyhow::anyhow!("there is no user {name}"))),
    }
}

fn deliver(office: &Office, owner: &Owner) -> anyhow::Result<()> {
    refuse_closed_input()?;
    // Only for the signal handler that comes with it. The delivery itself blocks: a runtime's
    // threads wake each other by writing, and one that cannot would leave the others waiting.
    drop(command::runtime(Builder::new_current_thread())?);
    let mut incoming = office.spool()?.deliver(owner)?;
    let mut postmark = Postmark::default();
    let mut chunk = vec![0; CHUNK_OCTETS];
    let storing = "cannot store the message";
    loop {
        let read = read(&mut chunk).context("cannot read the message from standard input")?;
        if read == 0 {
            break;
        }
        for piece in postmark.strip(chunk.get(..read).unwrap_or_default()) {
            incoming.write(piece).context(storing)?;
        }
    }
    incoming.write(postmark.finish()).context(storing)?;
    let receipt = incoming.finish().context(storing)?;
    tracing::debug!(user = %owner, name = receipt.name, octets = receipt.octets.to_u64(), "delivered");
    Ok(())
}

/// Where standard input is closed, Rust's start-up code puts /dev/null in its place, open for
/// writing too; read on, that would be an empty message.
fn refuse_closed_input() -> anyhow::Result<()> {
    let unreadable = "cannot read the message from standard input";
    let null = std::fs::metadata("/dev/null").map(|null| null.rdev());
    let input = rustix::fs::fstat(std::io::stdin()).context(unreadable)?;
    let flags = rustix::fs::fcntl_getfl(std::io::stdin()).context(unreadable)?;
    if null.is_ok_and(|null| null == input.st_rdev) && flags.contains(OFlags::RDWR) {
        anyhow::bail!("{unreadable}: it is closed");
    }
    Ok(())
}

/// Reads the next octets of the message; 0 is its end. Not through `std::io::Stdin`, which takes
/// some errors for the end.
fn read(chunk: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match rustix::io::read(std::io::stdin(), &mut *chunk) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

const CHUNK_OCTETS: usize = 64 * 1024;

const AFTER_HELP: &str = "\
Example:
  restante deliver fred --data /srv/mail < message.eml

Exit codes (sysexits.h): 0 the message is safe, 64 wrong usage, 67 no such user,
75 not now, try again, 78 the configuration is wrong. Nothing is stored unless it is 0.";

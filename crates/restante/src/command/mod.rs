//! The commands, a module each: its flags (`Args`) and what it does (`run`).

pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod config;
pub(crate) mod deliver;
pub(crate) mod demo;
pub(crate) mod serve;
pub(crate) mod user;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// The runtime of a command that needs one. From then on a file that grows past the process's
/// limit is an error to be handled, as a full disk is, and no longer a deadly signal.
pub(crate) fn runtime(mut builder: Builder) -> anyhow::Result<Runtime> {
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    {
        let _inside = runtime.enter();
        let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // The handler stays when its stream is dropped; nobody needs to be told of the signal.
        drop(signal(too_large).context("cannot handle SIGXFSZ")?);
    }
    Ok(runtime)
}

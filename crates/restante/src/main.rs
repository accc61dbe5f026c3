//! Restante, a complete post office for the POP family: the binary.
//!
//! Arguments and one configuration file come in, an exit code and one clear line for an error go
//! out. Each command is a module of [`command`]; what they share (data folder, stores, user
//! database) is the [`office`]. This is the only crate that names a concrete store.

mod acme;
mod certificate;
mod cli;
mod command;
mod config;
mod confinement;
mod directory;
mod exit;
mod front;
mod issuer;
mod letters;
mod logging;
mod office;
mod password;
mod postmark;
mod renewal;
mod secret;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Code;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error),
    };
    logging::start(&cli.logging);
    // One provider for the whole process, before anything can ask for another. An error means
    // that one is installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let internal = match cli.command {
        Command::Deliver(_) => Code::TryAgain,
        _ => Code::Failure,
    };
    exit::of(internal, || match cli.command {
        Command::Serve(args) => command::serve::run(&args),
        Command::Deliver(args) => command::deliver::run(&args),
        Command::Collect(args) => command::collect::run(args),
        Command::Check(args) => command::check::run(args),
        Command::User(args) => command::user::run(args),
        Command::Config(args) => command::config::run(args),
        Command::Demo(args) => command::demo::run(&args),
    })
}

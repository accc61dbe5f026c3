//! `restante serve`: the server.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Listen;
use crate::office::{Office, OfficeArgs};

/// Flags of `restante serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    restante serve --data /srv/mail --listen pop3=0.0.0.0:110 --listen pop3s=0.0.0.0:995")]
pub(crate) struct Args {
    #[command(flatten)]
    office: OfficeArgs,
    /// Listen here and nowhere else; NAME is pop3 or pop3s, port 0 any free one [repeatable]
    #[arg(long, value_name = "NAME=ADDRESS:PORT")]
    listen: Vec<Listen>,
    /// Write the bound addresses here as JSON once ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Permit passwords without TLS
    #[arg(long)]
    allow_cleartext: bool,
    /// PEM file with the certificate and its chain
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

impl Args {
    /// The office these flags describe.
    fn office(&self) -> anyhow::Result<Office> {
        let mut office = Office::new(&self.office)?;
        let config = &mut office.config;
        if !self.listen.is_empty() {
            config.listen = self.listen.iter().map(|l| (l.name, l.address)).collect();
        }
        config.login.allow_cleartext |= self.allow_cleartext;
        if self.certificate.is_some() {
            config.tls.certificate.clone_from(&self.certificate);
            config.tls.key.clone_from(&self.key);
        }
        Ok(office)
    }
}

/// Serves until told to stop.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let office = args.office()?;
    if office.config.data_is_named {
        office.require_data()?;
    } else {
        office.create_data()?;
    }
    anyhow::bail!("serve is not built yet (ready file {:?})", args.ready_file)
}

//! `restante config`: the configuration in force, and whether a file can be used.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Subcommand;

use crate::office::{Office, OfficeArgs};
use crate::{acme, config, confinement, directory};

/// Flags of `restante config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    restante config show > restante.toml\n  \
    restante config check --config restante.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what is in force, with every setting's meaning and default
    Show {
        #[command(flatten)]
        office: OfficeArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether the configuration can be used
    Check {
        #[command(flatten)]
        office: OfficeArgs,
    },
}

/// Shows or checks.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    match args.action {
        Action::Show { office, json } => {
            let config = Office::new(&office)?.config;
            if json {
                writeln!(out, "{:#}", config::to_json(&config))?;
            } else {
                out.write_all(config::to_toml(&config).as_bytes())?;
            }
        }
        Action::Check { office } => {
            let checked = Office::new(&office)?;
            report_users(&checked, &mut out)?;
            match office.config_file() {
                Some(file) => writeln!(out, "{}: no problems", file.display())?,
                None => writeln!(out, "no configuration file is named; the defaults are in force")?,
            }
            if let Some(wanted) = acme::wanted(&checked.config) {
                writeln!(out, "ACME: {}", restante_acme::status(&checked.host, &wanted))?;
            }
            out.write_all(confinement::describe(&checked)?.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which lines of the passwd-files keep somebody out. They are no reason to fail: the server
/// skips them, and a line without a usable password may be meant.
fn report_users(office: &Office, out: &mut impl Write) -> anyhow::Result<()> {
    for file in directory::passwd_files(office) {
        let path = file.path().display();
        match file.read() {
            Ok(passwd) => {
                for fault in passwd.faults() {
                    writeln!(out, "{path}:{}: {}", fault.line, fault.problem)?;
                }
            }
            // There need not be one yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => writeln!(out, "{path}: cannot be read: {error}")?,
        }
    }
    Ok(())
}

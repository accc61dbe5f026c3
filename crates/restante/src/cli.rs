//! The command line: one command, its flags, and what `--help` says of them.

use clap::{Parser, Subcommand};

use crate::{command, logging};

/// A complete post office for the POP family.
#[derive(Debug, Parser)]
#[command(name = "restante", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) logging: logging::LoggingArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the post office can be told to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve maildrops over POP3 and POP3S
    Serve(command::serve::Args),
    /// Put one message from standard input into a user's maildrop
    Deliver(command::deliver::Args),
    /// Fetch mail from other servers' accounts
    Collect(command::collect::Args),
    /// Say which rules of POP3 a server keeps and which it breaks
    Check(command::check::Args),
    /// Add, change, remove and list users
    User(command::user::Args),
    /// Show or check the configuration
    Config(command::config::Args),
    /// Go the whole way once: deliver, serve, collect, compare
    Demo(command::demo::Args),
}

impl Command {
    /// The commands' names, as typed.
    pub(crate) const NAMES: [&str; 7] =
        ["serve", "deliver", "collect", "check", "user", "config", "demo"];
}

const AFTER_HELP: &str = "\
Examples:
  restante demo
  restante user add fred --data /srv/mail
  restante serve --data /srv/mail

Exit codes: 0 done, 1 failed, 2 wrong usage; `deliver` uses those of sysexits.h,
and `check` ends with 3 when a rule is broken.
Environment: RESTANTE_CONFIG, RESTANTE_DATA, RESTANTE_LOG.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        let names: Vec<_> = cli.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, Command::NAMES);
        for command in cli.get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = format!("restante {}", command.get_name());
            assert!(help.contains(&example), "{example}: {help}");
        }
    }
}

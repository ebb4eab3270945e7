//! The command line: what can be typed, and nothing of what it does.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::{
    config::{self, Flags, Resolved},
    exit::Exit,
};

/// Player state and power-ups of the Treasure Hunt Engine, beside a Go shard.
#[derive(Debug, Parser)]
#[command(name = "player-state", version = crate::BUILD, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve hunts over gRPC until SIGTERM or SIGINT.
    Serve(SettingsArgs),
    /// Ask a running process whether it serves; takes the settings that the process has.
    Health(SettingsArgs),
    /// Play a file of stamped commands, and write its records to standard output with what became of them.
    Replay {
        /// A stream of Record messages, each after its length; - is standard input. Exit code 65 if it is wrong.
        file: PathBuf,
    },
    /// Look at the journal of a process that does not run; copy it, and make one of a copy.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Look at rulesets.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script.
    Completions { shell: Shell },
}

/// What `journal` can do.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Read all of it: every checksum, record and snapshot. Exit code 65 if something is damaged, with where.
    Verify {
        /// The data directory.
        dir: PathBuf,
        /// The form of what is said, on standard output.
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Write the records to standard output, each after its length, as replay reads them.
    Export {
        /// The data directory.
        dir: PathBuf,
        /// Only this hunt's.
        #[arg(long, value_name = "HUNT")]
        hunt: Option<String>,
    },
    /// Copy all of it at one moment, of a process that runs too. A copy is checked while it is written.
    Backup {
        /// The data directory of a process that does not run.
        #[arg(required_unless_present = "admin", conflicts_with = "admin")]
        dir: Option<PathBuf>,
        /// The admin address of a process that runs, on this machine: it goes on meanwhile.
        #[arg(long, value_name = "ADDR")]
        admin: Option<SocketAddr>,
        /// Where the backup is written; there when it is whole. Without it, standard output.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The form of what is said, on standard output if that is not the backup, else on standard error.
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Make a new journal of what can be read of a damaged one, which is moved aside. Says what is lost.
    Repair {
        /// The data directory.
        dir: PathBuf,
        /// Keep hunts that may lack their last records too, at the last state that can be read.
        #[arg(long)]
        keep_unproven: bool,
        /// The form of what is said, on standard output.
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Make the journal of a data directory that has none of a backup. What was answered after the backup is lost.
    Restore {
        /// The data directory.
        dir: PathBuf,
        /// The backup. Without it, standard input. Exit code 65 if it is not whole; nothing is written then.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The form of what is said, on standard output.
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
}

/// What `rules` can do.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say whether ruleset files would be taken, and if not, all that is wrong with each: exit code 65.
    Check {
        /// Files to look at; - is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The form of what is said, on standard output.
        #[arg(long, short, value_enum, default_value_t)]
        output: Output,
    },
    /// Print the JSON Schema of ruleset files, for editors.
    Schema,
}

/// What a command that looks at something writes.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Output {
    /// For people. Of rules: a line a file, or a line a fault: FILE:LINE: KEY: what was found, and what is taken.
    #[default]
    Text,
    /// For CI and scripts. Of rules: one array with an object a file.
    Json,
}

/// What `config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print each setting with its value and where it came from, as a settings file.
    Print(SettingsArgs),
}

/// Whatever decides the settings: a flag wins over the environment, that over the file, that over the default.
#[derive(Debug, Args)]
pub struct SettingsArgs {
    /// A TOML file of settings, as `config print` writes it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub flags: Flags,
}

impl SettingsArgs {
    /// The settings that these and the environment come to.
    ///
    /// # Errors
    /// 78, with everything that is wrong with them.
    pub fn resolve(&self) -> Result<Resolved, Exit> {
        config::resolve(&self.flags, self.config.as_deref())
    }
}

//! The table as command-line flags: clap arguments made from its rows.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::table::{ROWS, Row};

/// Which settings were given as flags, with the text of each. Other commands than `serve` take them too.
#[derive(Debug, Default)]
pub struct Flags {
    given: Vec<(&'static Row, Vec<String>)>,
}

impl Flags {
    /// What was typed for a setting, if it was.
    pub(super) fn get(&self, row: &Row) -> Option<&[String]> {
        self.given
            .iter()
            .find(|(given, _)| given.name == row.name)
            .map(|(_, texts)| texts.as_slice())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(ROWS.iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given = ROWS
            .iter()
            .filter_map(|row| {
                let texts = matches.get_many::<String>(row.name)?;
                Some((row, texts.cloned().collect()))
            })
            .collect();
        Ok(())
    }
}

fn arg(row: &'static Row) -> Arg {
    let heading = if row.is_limit() { "Limits" } else { "Settings" };
    Arg::new(row.name)
        .long(row.flag())
        .value_name(row.placeholder)
        .help(help(row))
        .help_heading(heading)
        .action(if row.list {
            ArgAction::Append
        } else {
            ArgAction::Set
        })
}

/// The sentence, with default and bounds. The defaults are the table's and not clap's, so that a flag
/// that was not typed cannot hide the environment or the file.
fn help(row: &Row) -> String {
    let mut facts = Vec::new();
    if !row.default.is_empty() {
        facts.push(format!("default {}", row.default));
    }
    if let Some((least, greatest)) = row.bounds {
        facts.push(format!("{least} to {greatest}"));
    }
    facts.push(row.env());
    format!("{} [{}]", row.help.trim(), facts.join("; "))
}

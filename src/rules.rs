//! `player-state rules`: whether ruleset files would be taken, without starting anything; and what they may
//! hold, as a JSON Schema.

mod schema;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

pub use self::schema::schema;
use crate::{
    cli::Output,
    engine::{Fault, Ruleset, RulesetError},
    exit::Exit,
    shard::ruleset_bytes,
};

/// What was found in each file, in the order given.
#[derive(Debug)]
pub struct Report(Vec<Checked>);

#[derive(Debug)]
struct Checked {
    file: String,
    found: Result<Ruleset, RulesetError>,
}

/// Reads and checks files as `serve` does, and besides pipes, and standard input for `-`.
#[must_use]
pub fn check(files: &[PathBuf]) -> Report {
    Report(files.iter().map(|path| Checked::of(path)).collect())
}

impl Report {
    /// What is said of the files.
    #[must_use]
    pub fn write(&self, output: Output) -> String {
        match output {
            Output::Text => self.0.iter().map(Checked::text).collect(),
            Output::Json => {
                let files: Value = self.0.iter().map(Checked::json).collect();
                format!("{files:#}\n")
            }
        }
    }

    /// How the command ends.
    ///
    /// # Errors
    /// 65 if a file would not be taken.
    pub fn exit(&self) -> Result<(), Exit> {
        let refused = self.0.iter().filter(|file| file.found.is_err()).count();
        if refused == 0 {
            return Ok(());
        }
        let files = self.0.len();
        Err(Exit::data(format!(
            "{refused} of {files} would not be taken as a ruleset"
        )))
    }
}

impl Checked {
    fn of(path: &Path) -> Self {
        let file = path.display().to_string();
        let bytes = match file.as_str() {
            "-" => ruleset_bytes(std::io::stdin().lock()),
            _ => File::open(path).and_then(ruleset_bytes),
        };
        let found = match bytes {
            Ok(bytes) => Ruleset::parse(&file, &bytes),
            Err(err) => Err(RulesetError {
                file: file.clone(),
                faults: vec![Fault {
                    line: 1,
                    key: String::new(),
                    problem: format!("cannot be read: {err}"),
                }],
            }),
        };
        Self { file, found }
    }

    fn text(&self) -> String {
        match &self.found {
            Ok(ruleset) => format!(
                "{}: good; {} power-ups: {}; SHA-256 {}\n",
                self.file,
                ruleset.names().len(),
                names(ruleset).join(", "),
                ruleset.hash()
            ),
            Err(error) => format!("{error}\n"),
        }
    }

    fn json(&self) -> Value {
        match &self.found {
            Ok(ruleset) => json!({
                "file": self.file,
                "good": true,
                "sha256": ruleset.hash(),
                "power_ups": names(ruleset),
                "faults": [],
            }),
            Err(RulesetError { file, faults }) => {
                let faults: Value = faults
                    .iter()
                    .map(|Fault { line, key, problem }| {
                        json!({"line": line, "key": key, "problem": problem})
                    })
                    .collect();
                json!({"file": file, "good": false, "faults": faults})
            }
        }
    }
}

fn names(ruleset: &Ruleset) -> Vec<&str> {
    ruleset.names().map(AsRef::as_ref).collect()
}

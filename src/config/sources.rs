//! What the environment and the file say, by the name of the setting, as text.

use std::{collections::HashMap, ffi::OsString, path::Path};

use super::table::{ENV_PREFIX, ROWS, Row};
use crate::exit::Exit;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Default,
    File,
    Env,
    Flag,
}

impl Source {
    /// What a person would look for to change the value.
    pub fn name_of(self, row: &Row, config: Option<&Path>) -> String {
        match self {
            Source::Default => "default".to_owned(),
            Source::File => format!(
                "{} in {}",
                row.name,
                config.unwrap_or(Path::new("")).display()
            ),
            Source::Env => row.env(),
            Source::Flag => format!("--{}", row.flag()),
        }
    }
}

type Texts = HashMap<&'static str, Vec<String>>;

/// The variables that begin with [`ENV_PREFIX`].
pub(super) struct Environment(Texts);

impl Environment {
    pub(super) fn read(
        vars: impl Iterator<Item = (OsString, OsString)>,
        refusals: &mut Vec<String>,
    ) -> Self {
        let mut texts = Texts::new();
        for (name, value) in vars {
            let name = name.to_string_lossy();
            if !name.starts_with(ENV_PREFIX) {
                continue;
            }
            let Some(row) = ROWS.iter().find(|row| row.env() == name) else {
                let asked = name[ENV_PREFIX.len()..].to_lowercase();
                refusals.push(format!("{name}: {}", unknown(&asked, Row::env)));
                continue;
            };
            match value.into_string() {
                Ok(value) if row.list => {
                    texts.insert(row.name, value.split(',').map(str::to_owned).collect());
                }
                Ok(value) => {
                    texts.insert(row.name, vec![value]);
                }
                Err(_) => refusals.push(format!("{name}: is not UTF-8")),
            }
        }
        Self(texts)
    }

    pub(super) fn get(&self, row: &Row) -> Option<&[String]> {
        self.0.get(row.name).map(Vec::as_slice)
    }
}

/// The file of `--config`: TOML, one key a setting.
pub(super) struct File(Texts);

/// The file is settings, not data.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

impl File {
    pub(super) fn read(path: Option<&Path>, refusals: &mut Vec<String>) -> Result<Self, Exit> {
        let Some(path) = path else {
            return Ok(Self(Texts::new()));
        };
        let refused = |why: String| Exit::settings(format!("--config {}: {why}", path.display()));
        let length = std::fs::metadata(path)
            .map_err(|err| refused(err.to_string()))?
            .len();
        if length > FILE_BYTES_MAX {
            return Err(refused(format!(
                "has {length} bytes, the limit is {FILE_BYTES_MAX}"
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|err| refused(err.to_string()))?;
        let table: toml::Table = text.parse().map_err(|err| refused(format!("{err}")))?;

        let mut texts = Texts::new();
        for (key, value) in table {
            let Some(row) = ROWS.iter().find(|row| row.name == key) else {
                let why = unknown(&key, |row| row.name.to_owned());
                refusals.push(format!("{key} in {}: {why}", path.display()));
                continue;
            };
            match plain(value) {
                Ok(plain) => {
                    texts.insert(row.name, plain);
                }
                Err(why) => refusals.push(format!("{key} in {}: {why}", path.display())),
            }
        }
        Ok(Self(texts))
    }

    pub(super) fn get(&self, row: &Row) -> Option<&[String]> {
        self.0.get(row.name).map(Vec::as_slice)
    }
}

/// A TOML value as the text that a flag would have had.
fn plain(value: toml::Value) -> Result<Vec<String>, String> {
    match value {
        toml::Value::String(text) => Ok(vec![text]),
        toml::Value::Integer(number) => Ok(vec![number.to_string()]),
        toml::Value::Array(values) => {
            let nested: Result<Vec<_>, _> = values.into_iter().map(plain).collect();
            Ok(nested?.concat())
        }
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => {
            Err("wants a string, a whole number, or an array of them".to_owned())
        }
    }
}

/// How alike two names must be (0 to 1) to be taken for a slip of the pen.
const ALIKE: f64 = 0.8;

/// `name` as a key of the file would be; the nearest is told as it is spelled where the name stood.
fn unknown(name: &str, spelled: impl Fn(&Row) -> String) -> String {
    let nearest = ROWS
        .iter()
        .map(|row| (strsim::jaro_winkler(name, row.name), row))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    match nearest {
        Some((_, row)) => format!("there is no such setting; did you mean {}?", spelled(row)),
        None => "there is no such setting; `player-state config print` lists them".to_owned(),
    }
}

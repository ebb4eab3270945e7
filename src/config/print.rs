//! The settings for people: `config print`, and the table of limits in the documentation.

use std::{fmt::Write as _, path::Path};

use super::{
    Resolved,
    table::{ROWS, Row},
};

/// A settings file that says the same, with the source of each value beside it. What is unset is a comment.
pub fn print(resolved: &Resolved, config: Option<&Path>) -> String {
    let lines: Vec<_> = ROWS
        .iter()
        .zip(&resolved.sources)
        .map(|(row, source)| (line(row, resolved), source.name_of(row, config)))
        .collect();
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (line, source) in lines {
        let _ = writeln!(text, "{line:width$}  # {source}");
    }
    text
}

fn line(row: &Row, resolved: &Resolved) -> String {
    let values: Vec<_> = (row.get)(&resolved.settings)
        .into_iter()
        .map(typed)
        .collect();
    match (row.list, values.as_slice()) {
        (false, []) => format!("# {} =", row.name),
        (false, [value]) => format!("{} = {value}", row.name),
        (_, _) => format!("{} = {}", row.name, toml::Value::Array(values)),
    }
}

/// A whole number as such, everything else as a string.
fn typed(text: String) -> toml::Value {
    text.parse()
        .map_or(toml::Value::String(text), toml::Value::Integer)
}

/// The body of `docs/limits.md`.
pub fn limits_markdown() -> String {
    let mut text = String::from(
        "| setting | flag | default | from | to | what it bounds |\n|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        if let Some((least, greatest)) = row.bounds {
            let _ = writeln!(
                text,
                "| `{}` | `--{}` | {} | {least} | {greatest} | {} |",
                row.name,
                row.flag(),
                row.default,
                row.help.trim()
            );
        }
    }
    text
}

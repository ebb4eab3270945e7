//! The engine is pure: it can name no transport, no clock, no file, no randomness and no map whose order
//! is drawn. So the same records give the same bytes, in every process and in both languages.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The crates that the engine may use, beside itself.
const CRATES: [&str; 7] = [
    "std",
    "hashbrown",
    "parking_lot",
    "sha2",
    "toml",
    "xxhash_rust",
    "player_state",
];

/// The parts of std that it may use: values and their sharing, nothing that reaches outside.
const STD: [&str; 10] = [
    "array", "borrow", "error", "fmt", "num", "ops", "slice", "str", "sync", "thread",
];

/// Names that are impure however they come in.
const NAMES: [&str; 12] = [
    "HashMap",
    "HashSet",
    "RandomState",
    "Instant",
    "SystemTime",
    "tokio",
    "tonic",
    "prost",
    "rand",
    "getrandom",
    "sleep",
    "unsafe",
];

/// The code of a source, without its comments.
fn code(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.map(|line| format!("{}\n", line.trim())).collect()
}

/// The paths that a `use` tree imports: `std::{fmt, sync::Arc}` is two.
fn imports(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let inner = &rest[..rest.rfind('}').expect("a closed brace")];
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = imports(&inner[start..at]);
                let named = branch.iter().filter(|path| !path.is_empty());
                paths.extend(named.map(|path| format!("{}{path}", prefix.trim())));
                start = at + 1;
            }
            _ => {}
        }
    }
    paths
}

/// Whether a path leads only to what the engine may use.
fn is_allowed(path: &str, is_import: bool) -> bool {
    match path.split("::").collect::<Vec<_>>()[..] {
        ["crate", second, ..] => second == "engine",
        ["std", second, ..] => STD.contains(&second),
        // Paths within code begin with a type, or a module of the engine; imports name what they are.
        [first, ..] => {
            let is_type = first.starts_with(char::is_uppercase);
            !is_import || is_type || CRATES.contains(&first) || ["super", "self"].contains(&first)
        }
        [] => true,
    }
}

/// Where the trees of the `use` statements begin.
fn statements(code: &str) -> impl Iterator<Item = usize> {
    let heads = ["use ", "pub use ", "pub(super) use ", "pub(crate) use "];
    let mut next_line = 0;
    code.lines().filter_map(move |line| {
        let start = next_line;
        next_line += line.len() + 1;
        heads
            .iter()
            .find(|head| line.starts_with(**head))
            .map(|head| start + head.len())
    })
}

/// What is impure in a source.
fn impurities(source: &str) -> Vec<String> {
    let code = code(source);
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code
        .split(|c| !is_path(c))
        .map(|word| (word.trim_matches(':').to_owned(), false));
    let trees = statements(&code).filter_map(|start| code[start..].split_once(';'));
    let imports = trees
        .flat_map(|(tree, _)| imports(tree))
        .map(|path| (path, true));
    let is_impure = |(path, is_import): &(String, bool)| {
        path.split("::").any(|segment| NAMES.contains(&segment)) || !is_allowed(path, *is_import)
    };
    words
        .chain(imports)
        .filter(is_impure)
        .map(|(path, _)| path)
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_engine_names_nothing_impure() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine");
    let mut files = Vec::new();
    sources(&engine, &mut files);
    assert!(files.len() > 20, "the walk finds the engine: {files:?}");
    let mut impure = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a readable source");
        impure.extend(
            impurities(&text)
                .iter()
                .map(|path| format!("{}: {path}", file.display())),
        );
    }
    assert!(impure.is_empty(), "{impure:#?}");
}

#[test]
fn the_check_sees_what_it_looks_for() {
    for line in [
        "use std::time::Instant;",
        "let now = std::time::SystemTime::now();",
        "use std::{collections::HashMap, sync::Arc};",
        "use std::{fmt, net::{IpAddr, TcpStream}};",
        "let bytes = std::fs::read(path);",
        "use tokio::sync::Mutex;",
        "use crate::pb;",
        "fn wire(hunt: crate::pb::HuntSnapshot) {}",
        "let id: u64 = rand::random();",
        "use serde_json::Value;",
        "    use tracing::info;",
        "unsafe { transmute(bytes) }",
    ] {
        assert!(!impurities(line).is_empty(), "{line}");
    }
    for line in [
        "//! It knows no tokio, and std::fs neither.",
        "use std::sync::Arc;",
        "use crate::engine::{Hunt, HuntId};",
        "let mut random = Random::new(settings.seed);",
        "let operand = random.below(4);",
    ] {
        assert!(
            impurities(line).is_empty(),
            "{line}: {:?}",
            impurities(line)
        );
    }
}

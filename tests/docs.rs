//! The tables in `docs/` are those of the code. `UPDATE_DOCS=1 cargo test --test docs` rewrites them.

use std::{fs, path::Path};

use player_state::{config, telemetry::metrics};

/// What stands between the two marks of a page is made from a table.
fn compare(page: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = fs::read_to_string(&path).expect("the page");
    let (begin, end) = (
        format!("<!-- begin {name} -->\n"),
        format!("<!-- end {name} -->"),
    );
    let (head, rest) = text.split_once(&begin).expect("the mark of its begin");
    let (stands, tail) = rest.split_once(&end).expect("the mark of its end");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{begin}{table}{end}{tail}")).expect("written");
        return;
    }
    assert_eq!(
        stands, table,
        "docs/{page} is not what the code says; run UPDATE_DOCS=1 cargo test --test docs"
    );
}

#[test]
fn the_limits_are_those_of_the_settings() {
    compare("limits.md", "player-state", &config::limits_markdown());
}

#[test]
fn the_metrics_are_those_of_the_list() {
    compare("metrics.md", "player-state", &metrics::markdown());
}

#[test]
fn the_tests_that_the_invariants_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("src/lib.rs")).expect("the map of the crate");
    let named: Vec<_> = text
        .split('`')
        .filter(|word| word.starts_with("tests/"))
        .collect();
    assert!(named.len() >= 9, "{named:?}");
    for test in named {
        assert!(root.join(test).is_file(), "{test} is not there");
    }
}

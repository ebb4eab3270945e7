//! The JSON Schema of rulesets that is checked in is the one that the program prints. What it takes and refuses is
//! held against the vectors in go-compat/services/rulesetschema.
//! `UPDATE_DOCS=1 cargo test --test rules_schema` writes it anew.

use std::{fs, path::Path};

use player_state::rules;

#[test]
fn the_schema_that_editors_read_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("go-compat/rulesets/ruleset.schema.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, rules::schema()).expect("written");
    }
    let stands = fs::read_to_string(&path).expect("the schema");
    assert!(
        stands == rules::schema(),
        "ruleset.schema.json is stale; run player-state rules schema >{}",
        path.display()
    );
}

//! The JSON Schema of rulesets says what the engine's parser says, as far as a schema can.
//! `UPDATE_DOCS=1 cargo test --test rules_schema` writes it anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use player_state::rules;
use serde_json::Value;

/// What only the parser can refuse: the TOML itself, sums, doubled names, and a number against another key.
const PARSER_ALONE: [&str; 11] = [
    "duration_over_its_max",
    "key_doubled",
    "magnitude_over_its_max",
    "name_twice",
    "no_toml",
    "no_utf8",
    "number_huge",
    "reveal_twice",
    "torn",
    "weight_0_throughout",
    "weight_sum_over_2_pow_32",
];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&rules::schema()).expect("JSON");
    jsonschema::draft7::meta::validate(&schema).expect("a schema of draft 7");
    jsonschema::draft7::new(&schema).expect("a schema")
}

/// The names of a folder's rulesets, with what they hold as JSON; nothing for what is no TOML.
fn rulesets(folder: &str) -> Vec<(String, Option<Value>)> {
    let entries = fs::read_dir(at(folder)).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|found| found == "toml"));
    files
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let text = String::from_utf8(fs::read(&path).expect("a file")).ok();
            let json = text.and_then(|text| toml::from_str(&text).ok());
            (name.into_owned(), json)
        })
        .collect()
}

#[test]
fn the_schema_that_editors_read_is_what_the_program_prints() {
    let path = at("go-compat/rulesets/ruleset.schema.json");
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

#[test]
fn it_takes_what_the_parser_takes() {
    let validator = validator();
    for folder in ["tests/vectors/rulesets/accepted", "go-compat/rulesets"] {
        let taken = rulesets(folder);
        assert!(taken.len() >= 2, "{folder}");
        for (name, json) in taken {
            let json = json.expect("TOML");
            let errors: Vec<_> = validator
                .iter_errors(&json)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
        }
    }
}

#[test]
fn it_refuses_what_the_parser_refuses_but_for_what_no_schema_can_say() {
    let validator = validator();
    let refused = rulesets("tests/vectors/rulesets/refused");
    assert!(refused.len() >= 60, "{} rulesets", refused.len());
    let mut passed: Vec<_> = refused
        .into_iter()
        .filter(|(_, json)| json.as_ref().is_none_or(|json| validator.is_valid(json)))
        .map(|(name, _)| name)
        .collect();
    passed.sort();
    assert_eq!(passed, PARSER_ALONE);
}

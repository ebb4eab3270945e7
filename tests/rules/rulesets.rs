//! Which rulesets are taken, and what is said of those that are not.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use player_state::engine::{Ruleset, RulesetError};
use serde::Deserialize;

/// One power-up with these lines, and one effect with these keys.
fn ruleset(lines: &str, effect: &str) -> String {
    format!("[[power_up]]\nname = \"one\"\nweight = 1\n{lines}\neffects = [{{ {effect} }}]\n")
}

fn parse(text: &str) -> Result<Ruleset, RulesetError> {
    Ruleset::parse("example.toml", text.as_bytes())
}

/// Checks that a ruleset is refused for this key alone, on this line. The tables around the key are left out.
fn refused(text: &str, line: usize, key: &str) {
    let error = parse(text)
        .err()
        .unwrap_or_else(|| panic!("taken:\n{text}"));
    let [fault] = &error.faults[..] else {
        panic!("{error}\n{text}");
    };
    assert_eq!(
        (fault.line, fault.key.rsplit('.').next()),
        (line, Some(key)),
        "{error}\n{text}"
    );
    assert_eq!(error.file, "example.toml");
}

const SHIELD: &str = r#"kind = "shield", magnitude = 1, duration_ms = 5, stacking = "refresh""#;
const USER: &str = "target = \"self\"";
const PLAYER: &str = "target = \"player\"";

#[test]
fn classic_is_taken_and_known_by_the_hash_of_its_bytes() {
    let classic = Ruleset::classic();
    assert_eq!(classic.names().len(), 13);
    let names: Vec<_> = classic.names().map(|name| &**name).collect();
    assert_eq!((names[0], names[12]), ("shield", "antidote"));
    let again = Ruleset::parse("copy.toml", classic.bytes()).expect("the same bytes");
    assert_eq!(again.hash(), classic.hash());
    let spaced = [classic.bytes(), b"\n"].concat();
    assert_ne!(
        Ruleset::parse("copy.toml", &spaced).expect("valid").hash(),
        classic.hash()
    );
    assert_eq!(classic.hash().len(), 64);
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    refused("[[power_up]]\nname = \n", 2, "");
    refused("[[power_up]]\nname = \"a\"\nname = \"b\"\n", 3, "name");
    let not_utf8 = Ruleset::parse("example.toml", b"#\n\xff").expect_err("no UTF-8");
    assert_eq!(not_utf8.to_string(), "example.toml:2: is no UTF-8");
}

#[test]
fn keys_that_nobody_knows_or_that_are_missing_are_named() {
    refused("# nothing\n", 1, "power_up");
    refused(&format!("color = 1\n{}", ruleset(USER, SHIELD)), 1, "color");
    refused(&ruleset(&format!("{USER}\ncolor = 1"), SHIELD), 5, "color");
    refused(&ruleset(USER, &format!("{SHIELD}, color = 1")), 5, "color");
    refused(&ruleset("", SHIELD), 1, "target");
    refused(
        &ruleset(USER, SHIELD).replace("weight = 1\n", ""),
        1,
        "weight",
    );
    refused(&ruleset(USER, "magnitude = 1"), 5, "kind");
    refused(
        &ruleset(USER, r#"kind = "cloak", stacking = "refresh""#),
        5,
        "duration_ms",
    );
    refused(
        &ruleset(USER, r#"kind = "cloak", duration_ms = 5"#),
        5,
        "stacking",
    );
    refused(
        &ruleset(
            USER,
            r#"kind = "cloak", duration_ms = 5, stacking = "extend""#,
        ),
        5,
        "max_ms",
    );
    let stack = r#"kind = "cloak", duration_ms = 5, stacking = "stack""#;
    refused(&ruleset(USER, stack), 5, "max_magnitude");
    for must_have_one in ["shield", "speed"] {
        let effect = format!(r#"kind = "{must_have_one}", duration_ms = 5, stacking = "refresh""#);
        refused(&ruleset(USER, &effect), 5, "magnitude");
    }
}

#[test]
fn values_of_another_type_or_out_of_their_words_are_named() {
    refused("power_up = 1\n", 1, "power_up");
    refused("power_up = [1]\n", 1, "power_up");
    refused(&ruleset("target = 1", SHIELD), 4, "target");
    refused(&ruleset("target = \"everybody\"", SHIELD), 4, "target");
    refused(
        &ruleset(&format!("{USER}\nusable_while_frozen = 1"), SHIELD),
        5,
        "usable_while_frozen",
    );
    refused(
        &ruleset(&format!("{USER}\ncooldown_ms = 1.5"), SHIELD),
        5,
        "cooldown_ms",
    );
    refused(&ruleset(USER, r#"kind = "flight""#), 5, "kind");
    let stacking = SHIELD.replace("refresh", "pile");
    refused(&ruleset(USER, &stacking), 5, "stacking");
}

#[test]
fn numbers_are_taken_at_their_bounds_and_refused_past_them() {
    let timed = |kind: &str, rest: &str| {
        format!(r#"kind = "{kind}", {rest}, duration_ms = 5, stacking = "refresh""#)
    };
    let lasting = |rest: &str| format!(r#"kind = "cloak", {rest}"#);
    let cases = [
        (
            PLAYER,
            timed("shield", "magnitude = 255"),
            timed("shield", "magnitude = 256"),
            "magnitude",
        ),
        (
            PLAYER,
            timed("shield", "magnitude = 1"),
            timed("shield", "magnitude = 0"),
            "magnitude",
        ),
        (
            PLAYER,
            timed("speed", "magnitude = 1"),
            timed("speed", "magnitude = 0"),
            "magnitude",
        ),
        (
            PLAYER,
            timed("magnet", "magnitude = 16"),
            timed("magnet", "magnitude = 17"),
            "magnitude",
        ),
        (
            PLAYER,
            timed("loot", "magnitude = 0"),
            timed("loot", "magnitude = -1"),
            "magnitude",
        ),
        (
            PLAYER,
            timed("freeze", "magnitude = 255"),
            timed("freeze", "magnitude = 999"),
            "magnitude",
        ),
        (
            PLAYER,
            r#"kind = "steal", magnitude = 100"#.into(),
            r#"kind = "steal", magnitude = 101"#.into(),
            "magnitude",
        ),
        (
            USER,
            r#"kind = "reveal", magnitude = 16"#.into(),
            r#"kind = "reveal", magnitude = 17"#.into(),
            "magnitude",
        ),
        (
            USER,
            lasting(r#"duration_ms = 1073741824, stacking = "ignore""#),
            lasting(r#"duration_ms = 1073741825, stacking = "ignore""#),
            "duration_ms",
        ),
        (
            USER,
            lasting(r#"duration_ms = 1, stacking = "ignore""#),
            lasting(r#"duration_ms = 0, stacking = "ignore""#),
            "duration_ms",
        ),
        (
            USER,
            lasting(r#"duration_ms = 5, stacking = "extend", max_ms = 5"#),
            lasting(r#"duration_ms = 5, stacking = "extend", max_ms = 4"#),
            "duration_ms",
        ),
        (
            USER,
            timed("cloak", "magnitude = 5, max_magnitude = 5"),
            timed("cloak", "magnitude = 5, max_magnitude = 4"),
            "magnitude",
        ),
        (
            USER,
            timed("magnet", "max_magnitude = 16"),
            timed("magnet", "max_magnitude = 17"),
            "max_magnitude",
        ),
    ];
    for (target, taken, past, key) in cases {
        parse(&ruleset(target, &taken)).unwrap_or_else(|error| panic!("{taken}: {error}"));
        refused(&ruleset(target, &past), 5, key);
    }
    parse(&ruleset(
        &format!("{USER}\ncooldown_ms = 1073741824"),
        SHIELD,
    ))
    .expect("at the bound");
    refused(
        &ruleset(&format!("{USER}\ncooldown_ms = 1073741825"), SHIELD),
        5,
        "cooldown_ms",
    );
}

#[test]
fn names_are_lower_case_and_each_is_used_once() {
    for name in ["", "A", "a-b", "é", &"x".repeat(33)] {
        refused(&ruleset(USER, SHIELD).replace("one", name), 2, "name");
    }
    parse(&ruleset(USER, SHIELD).replace("one", &"x".repeat(32))).expect("at the bound");
    let twice = ruleset(USER, SHIELD).repeat(2);
    refused(&twice, 7, "name");
}

#[test]
fn effects_and_targets_must_fit() {
    for hostile in [
        r#"kind = "freeze", duration_ms = 5, stacking = "ignore""#,
        r#"kind = "steal""#,
        r#"kind = "swap""#,
    ] {
        refused(&ruleset(USER, hostile), 5, "kind");
        parse(&ruleset(PLAYER, hostile)).expect("on another");
    }
    refused(&ruleset(PLAYER, r#"kind = "reveal""#), 5, "kind");
    refused(
        &ruleset(USER, r#"kind = "reveal" }, { kind = "reveal""#),
        5,
        "kind",
    );
    refused(
        &ruleset(USER, r#"kind = "cleanse", duration_ms = 5"#),
        5,
        "duration_ms",
    );
    for target in [USER, PLAYER] {
        refused(
            &ruleset(&format!("{target}\nradius = 1"), SHIELD),
            5,
            "radius",
        );
    }
    parse(&ruleset("target = \"area\"\nradius = 1", SHIELD)).expect("an area has a radius");
}

#[test]
fn lists_and_sizes_are_bounded() {
    refused("power_up = []\n", 1, "power_up");
    let power_ups = |count: u32| -> String {
        (0..count)
            .map(|n| ruleset(USER, SHIELD).replace("one", &format!("n{n}")))
            .collect()
    };
    parse(&power_ups(16)).expect("at the bound");
    refused(&power_ups(17), 1, "power_up");

    let effects = |count: usize| vec![SHIELD; count].join(" }, { ");
    parse(&ruleset(USER, &effects(4))).expect("at the bound");
    refused(&ruleset(USER, &effects(5)), 5, "effects");
    refused(
        "[[power_up]]\nname = \"a\"\nweight = 1\ntarget = \"self\"\neffects = []\n",
        5,
        "effects",
    );

    let padded = |bytes: usize| {
        let text = ruleset(USER, SHIELD);
        let padding = "#".repeat(bytes - text.len());
        text + &padding
    };
    parse(&padded(64 * 1024)).expect("at the bound");
    refused(&padded(64 * 1024 + 1), 1, "");
}

#[test]
fn weights_add_up_to_1_to_2_pow_32() {
    let weight =
        |weight: &str| ruleset(USER, SHIELD).replace("weight = 1", &format!("weight = {weight}"));
    refused(&weight("0"), 1, "power_up");
    parse(&weight("4294967296")).expect("at the bound");
    refused(&weight("4294967297"), 3, "weight");
    let two = weight("4294967295") + &weight("1").replace("one", "two");
    parse(&two).expect("at the bound");
    let three = two + &weight("1").replace("one", "three");
    refused(&three, 13, "weight");
}

#[test]
fn an_error_reads_as_file_line_key_and_what_is_taken() {
    let text = ruleset(&format!("{USER}\ncooldown_ms = -1"), SHIELD);
    let error = parse(&text).expect_err("negative");
    assert_eq!(
        error.to_string(),
        "example.toml:5: power_up[0].cooldown_ms: is -1, and must be 0..1073741824"
    );
}

/// Where something is wrong, as `refused.json` has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct At {
    line: usize,
    key: String,
}

/// The rulesets that both engines are held against, by name; the Go engine reads them too.
fn vectors(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join(folder)).expect("a folder");
    let files = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == "toml"));
    let read = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read(&path).expect("a file"))
    };
    files.map(read).collect()
}

#[test]
fn both_engines_refuse_the_same_at_the_same_line_and_key() {
    let json = include_bytes!("../vectors/rulesets/refused.json");
    let refused: BTreeMap<String, Vec<At>> = serde_json::from_slice(json).expect("JSON");
    let files = vectors("tests/vectors/rulesets/refused");
    assert!(files.keys().eq(refused.keys()), "{:?}", files.keys());
    for (name, bytes) in files {
        let error = Ruleset::parse("example.toml", &bytes).expect_err(&name);
        let told = error.faults.iter().map(|fault| At {
            line: fault.line,
            key: fault.key.clone(),
        });
        let mut told: Vec<_> = told.collect();
        told.sort();
        assert_eq!(told, refused[&name], "{name}: {error}");
    }
}

#[test]
fn both_engines_take_what_the_rules_allow() {
    for folder in ["tests/vectors/rulesets/accepted", "go-compat/rulesets"] {
        let files = vectors(folder);
        assert!(files.len() >= 2, "{folder}");
        for (name, bytes) in files {
            if let Err(error) = Ruleset::parse(&name, &bytes) {
                panic!("{error}");
            }
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_by_line() {
    let text = include_str!("../vectors/rulesets/refused/all_at_once.toml");
    let error = parse(text).expect_err("nothing in it is right");
    let lines: Vec<_> = error.faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 3, 4, 6, 7, 7, 7], "{error}");
    let told = error.to_string();
    assert_eq!(told.lines().count(), lines.len(), "{told}");
    assert!(
        told.starts_with(
            "example.toml:1: color: is no key here; there are power_up\nexample.toml:2: "
        ),
        "{told}"
    );
}

#[test]
fn a_complaint_is_short_however_long_the_file() {
    let lines: String = (0..5000).map(|n| format!("key{n} = 1\n")).collect();
    let long = format!("{} = 1\n", "x".repeat(60_000));
    let digits = ruleset(
        &format!("{USER}\ncooldown_ms = {}", "9".repeat(60_000)),
        SHIELD,
    );
    for text in [lines, long, digits] {
        let told = parse(&text).expect_err("refused").to_string();
        assert!(told.len() < 8 * 1024, "{} bytes", told.len());
    }
}

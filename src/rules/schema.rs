//! The form of a ruleset file as types, for its JSON Schema alone.
//!
//! The engine's parser is what decides, and says file, line and key; the schema lets an editor say most of it
//! while one types. What a schema cannot say: a name used twice, the sum of the weights, a number against
//! another key of the same entry, a key written twice. What it says more strictly: `stacking` is one of its
//! words on kinds that act at once too, where it says nothing. go-compat/services/rulesetschema holds the two together.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Value, json};

use crate::engine::POWER_UPS_MAX;

/// The longest duration, cooldown and `max_ms`.
const MS_MAX: u64 = 1 << 30;
const WEIGHT_MAX: u64 = 1 << 32;

/// The JSON Schema of ruleset files, as `go-compat/rulesets/ruleset.schema.json` has it. Draft 7 is what
/// editors' TOML modes know.
///
/// # Panics
/// Never: a schema is JSON.
#[must_use]
pub fn schema() -> String {
    let schema = SchemaSettings::draft07()
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<File>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// A key that may be absent is never null: TOML has none.
fn without_null(schema: &mut Schema) {
    let null = json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&null));
    }
}

/// A ruleset of the Treasure Hunt Engine: the power-ups of a hunt.
#[derive(JsonSchema)]
#[schemars(title = "Ruleset", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is made")]
struct File {
    /// The power-ups, in the order in which caches draw them. At most 64 KiB in all.
    #[schemars(length(min = 1, max = POWER_UPS_MAX))]
    power_up: Vec<PowerUp>,
}

/// A power-up.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("allOf" = power_up_rules()))]
#[expect(dead_code, reason = "only its schema is made")]
struct PowerUp {
    /// What commands and records call it. Each name once.
    #[schemars(regex(pattern = "^[a-z0-9_]{1,32}$"))]
    name: String,
    /// How often caches hold it, against the sum of all weights, which is 1 to 2^32.
    #[schemars(range(max = WEIGHT_MAX))]
    weight: u64,
    /// Whom it is used on.
    target: Target,
    /// How far away a target player may be, in cells; 0 is anywhere.
    #[schemars(range(max = u32::MAX))]
    range: Option<u32>,
    /// How far an area reaches, in cells; 0 is the user's own cell.
    #[schemars(range(max = u32::MAX))]
    radius: Option<u32>,
    /// How long its user can use no power-up afterwards.
    #[schemars(range(max = MS_MAX))]
    cooldown_ms: Option<u64>,
    /// Whether a frozen player can use it.
    usable_while_frozen: Option<bool>,
    /// What it does, in this order.
    #[schemars(length(min = 1, max = 4))]
    effects: Vec<Effect>,
}

/// Whom a power-up is used on.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is made")]
enum Target {
    /// The user.
    #[schemars(rename = "self")]
    User,
    /// One other player, within `range`.
    Player,
    /// Everybody else within `radius`.
    Area,
}

/// One effect of a power-up.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("allOf" = effect_rules()))]
#[expect(dead_code, reason = "only its schema is made")]
struct Effect {
    /// What it does. The kinds up to cloak last, and need duration_ms and stacking; the others act at once.
    kind: Kind,
    /// shield: charges; speed: steps; loot, steal: percent; magnet, reveal: radius in cells.
    magnitude: Option<u8>,
    /// How long it lasts.
    #[schemars(range(min = 1, max = MS_MAX))]
    duration_ms: Option<u64>,
    /// What it does where its kind is on already.
    stacking: Option<Stacking>,
    /// The longest that extending makes it last.
    #[schemars(range(max = MS_MAX))]
    max_ms: Option<u64>,
    /// The most that stacking makes of its magnitude.
    max_magnitude: Option<u8>,
}

/// What an effect does.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is made")]
enum Kind {
    /// Blocks hostile effects, one a charge.
    Shield,
    /// Turns one hostile effect on its author.
    Reflect,
    /// Hostile: no moving, digging or picking up.
    Freeze,
    /// Moves up to `magnitude` cells at once.
    Speed,
    /// Treasures are worth `magnitude` percent.
    Loot,
    /// Digs within `magnitude` cells.
    Magnet,
    /// Cannot be targeted.
    Cloak,
    /// Hostile: takes `magnitude` percent of the score.
    Steal,
    /// Hostile: exchanges the two places.
    Swap,
    /// Moves to a place by chance.
    Teleport,
    /// Shows the treasures within `magnitude` cells.
    Reveal,
    /// Ends freeze.
    Cleanse,
}

/// What a timed effect does where its kind is on already.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is made")]
enum Stacking {
    /// The new magnitude, and the later of the two ends.
    Refresh,
    /// The larger magnitude, and the durations added, up to `max_ms`.
    Extend,
    /// The magnitudes added, up to `max_magnitude`, and the later of the two ends.
    Stack,
    /// Nothing changes.
    Ignore,
}

/// What the target says of the rest.
fn power_up_rules() -> Value {
    let effects = |kinds: &[&str]| json!({"properties": {"effects": {"items": {"properties": {"kind": {"not": {"enum": kinds}}}}}}});
    json!([
        if_key("target", &["self"], effects(&["freeze", "steal", "swap"])),
        if_key("target", &["player", "area"], effects(&["reveal"])),
        if_key(
            "target",
            &["self", "player"],
            json!({"properties": {"radius": false}})
        ),
    ])
}

/// What kind and stacking say of the rest.
fn effect_rules() -> Value {
    let lasting = [
        "shield", "reflect", "freeze", "speed", "loot", "magnet", "cloak",
    ];
    let magnitudes = |most: u8| json!({"properties": {"magnitude": {"maximum": most}, "max_magnitude": {"maximum": most}}});
    json!([
        if_key(
            "kind",
            &lasting,
            json!({
                "required": ["duration_ms", "stacking"],
                "allOf": [
                    if_key("stacking", &["extend"], json!({"required": ["max_ms"]})),
                    if_key("stacking", &["stack"], json!({"required": ["max_magnitude"]})),
                ],
            })
        ),
        if_key(
            "kind",
            &["steal", "swap", "teleport", "reveal", "cleanse"],
            json!({"properties": {"duration_ms": false}})
        ),
        if_key(
            "kind",
            &["shield", "speed"],
            json!({"required": ["magnitude"], "properties": {"magnitude": {"minimum": 1}}})
        ),
        if_key("kind", &["magnet", "reveal"], magnitudes(16)),
        if_key("kind", &["steal"], magnitudes(100)),
    ])
}

fn if_key(key: &str, values: &[&str], then: Value) -> Value {
    json!({"if": {"required": [key], "properties": {key: {"enum": values}}}, "then": then})
}

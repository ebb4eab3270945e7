//! Which rulesets are taken. Every error that docs/rules.md lists is found here.

use super::{
    EFFECT_MS_MAX, EffectKind, POWER_UPS_MAX, PowerUp, RULESET_BYTES_MAX, RulesetError, Target,
    effect::{Effect, Stacking, Timed, TimedKind, is_hostile},
    file::{Entry, Source, Table},
};

const EFFECTS_MAX: usize = 4;
const WEIGHT_SUM_MAX: u64 = 1 << 32;
const MAGNITUDE_MAX: u64 = 255;

pub(super) fn power_ups(file: &str, bytes: &[u8]) -> Result<Vec<PowerUp>, RulesetError> {
    let whole = |problem: String| Source { file, text: "" }.error(0, "the file", problem);
    if bytes.len() > RULESET_BYTES_MAX {
        let problem = format!(
            "has {} bytes, and must have at most {RULESET_BYTES_MAX}",
            bytes.len()
        );
        return Err(whole(problem));
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| whole(format!("is no UTF-8: {error}")))?;

    let source = Source { file, text };
    let document = source.parse()?;
    let mut root = Table::new(source, 0, document.get_ref());
    let list = root.need("power_up")?;
    root.finish()?;
    let mut power_ups = Vec::new();
    for table in list.tables(1, POWER_UPS_MAX)? {
        let power_up = power_up(table, &power_ups)?;
        power_ups.push(power_up);
    }
    if power_ups.iter().all(|power_up| power_up.weight == 0) {
        return Err(list.error("has a weight of 0 throughout, so that no cache could be drawn"));
    }
    Ok(power_ups)
}

fn power_up(mut table: Table<'_>, before: &[PowerUp]) -> Result<PowerUp, RulesetError> {
    let name = name(&table.need("name")?, before)?;
    let weight = weight(&table.need("weight")?, before)?;
    let target_key = table.need("target")?;
    let target = target(&mut table, &target_key)?;
    let cooldown_ms = table.number("cooldown_ms", EFFECT_MS_MAX)? as u32;
    let usable_while_frozen = table
        .take("usable_while_frozen")
        .map_or(Ok(false), |entry| entry.flag())?;
    let effects_key = table.need("effects")?;
    table.finish()?;

    let mut effects = Vec::new();
    for table in effects_key.tables(1, EFFECTS_MAX)? {
        let effect = effect(table, target)?;
        if effect.kind() == EffectKind::Reveal && effects.iter().any(is_reveal) {
            return Err(effects_key.error("has two of kind reveal, and must have at most one"));
        }
        effects.push(effect);
    }
    Ok(PowerUp {
        name: name.into(),
        weight,
        target,
        cooldown_ms,
        usable_while_frozen,
        effects,
    })
}

fn is_reveal(effect: &Effect) -> bool {
    effect.kind() == EffectKind::Reveal
}

fn name<'a>(entry: &Entry<'a>, before: &[PowerUp]) -> Result<&'a str, RulesetError> {
    let name = entry.text()?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=32).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(entry.error(format!("is {name:?}, and must be 1..32 of [a-z0-9_]")));
    }
    if before.iter().any(|power_up| &*power_up.name == name) {
        return Err(entry.error(format!("is {name:?}, which another power-up has")));
    }
    Ok(name)
}

fn weight(entry: &Entry<'_>, before: &[PowerUp]) -> Result<u64, RulesetError> {
    let weight = entry.number(0, WEIGHT_SUM_MAX)?;
    let sum = weight + before.iter().map(|power_up| power_up.weight).sum::<u64>();
    if sum > WEIGHT_SUM_MAX {
        return Err(entry.error(format!(
            "brings the sum of weights to {sum}, over {WEIGHT_SUM_MAX}"
        )));
    }
    Ok(weight)
}

fn target(table: &mut Table<'_>, entry: &Entry<'_>) -> Result<Target, RulesetError> {
    let range = table.number("range", u32::MAX.into())? as u32;
    let radius = table.take("radius");
    let area_radius = radius.map_or(Ok(0), |radius| radius.number(0, u32::MAX.into()))? as u32;
    let target = match entry.text()? {
        "self" => Target::User,
        "player" => Target::Player { range },
        "area" => Target::Area {
            radius: area_radius,
        },
        other => return Err(entry.error(format!("is {other:?}, and must be self, player or area"))),
    };
    match (radius, target) {
        (Some(radius), Target::User | Target::Player { .. }) => {
            Err(radius.error("is for the target area alone"))
        }
        (Some(_), Target::Area { .. }) | (None, _) => Ok(target),
    }
}

fn effect(mut table: Table<'_>, target: Target) -> Result<Effect, RulesetError> {
    let kind_key = table.need("kind")?;
    let kind = kind(&kind_key)?;
    if is_hostile(kind) && target == Target::User {
        return Err(kind_key.error("is hostile, and cannot have the target self"));
    }
    if kind == EffectKind::Reveal && target != Target::User {
        return Err(kind_key.error("is reveal, and must have the target self"));
    }
    let magnitude = magnitude(&mut table, kind)?;
    let max_magnitude = match table.take("max_magnitude") {
        Some(entry) => Some(entry.number(magnitude.into(), magnitudes(kind).1)? as u8),
        None => None,
    };
    let effect = match TimedKind::of(kind) {
        Some(kind) => {
            let (duration_ms, stacking) = timing(&mut table, max_magnitude)?;
            Effect::Timed(Timed {
                kind,
                magnitude,
                duration_ms,
                stacking,
            })
        }
        None => instant(&mut table, kind, magnitude)?,
    };
    table.finish()?;
    Ok(effect)
}

fn kind(entry: &Entry<'_>) -> Result<EffectKind, RulesetError> {
    Ok(match entry.text()? {
        "shield" => EffectKind::Shield,
        "reflect" => EffectKind::Reflect,
        "freeze" => EffectKind::Freeze,
        "speed" => EffectKind::Speed,
        "loot" => EffectKind::Loot,
        "magnet" => EffectKind::Magnet,
        "cloak" => EffectKind::Cloak,
        "steal" => EffectKind::Steal,
        "swap" => EffectKind::Swap,
        "teleport" => EffectKind::Teleport,
        "reveal" => EffectKind::Reveal,
        "cleanse" => EffectKind::Cleanse,
        other => {
            return Err(entry.error(format!(
                "is {other:?}, and must be shield, reflect, freeze, speed, loot, magnet, cloak, steal, swap, \
                 teleport, reveal or cleanse"
            )));
        }
    })
}

/// The magnitudes that a kind takes, least and most. 0 is also what an absent one counts as.
pub(crate) fn magnitudes(kind: EffectKind) -> (u64, u64) {
    use EffectKind::{
        Cleanse, Cloak, Freeze, Loot, Magnet, Reflect, Reveal, Shield, Speed, Steal, Swap, Teleport,
    };
    match kind {
        Shield | Speed => (1, MAGNITUDE_MAX),
        Magnet | Reveal => (0, 16),
        Steal => (0, 100),
        Reflect | Freeze | Loot | Cloak | Swap | Teleport | Cleanse => (0, MAGNITUDE_MAX),
    }
}

fn magnitude(table: &mut Table<'_>, kind: EffectKind) -> Result<u8, RulesetError> {
    let (min, max) = magnitudes(kind);
    match table.take("magnitude") {
        Some(entry) => Ok(entry.number(min, max)? as u8),
        None if min == 0 => Ok(0),
        None => Err(table.missing("magnitude")),
    }
}

/// A kind that acts at once has no duration. The other keys of timing say nothing about it, and docs/rules.md
/// does not refuse them.
fn instant(table: &mut Table<'_>, kind: EffectKind, magnitude: u8) -> Result<Effect, RulesetError> {
    if let Some(duration) = table.take("duration_ms") {
        return Err(duration.error("is for kinds that last, and this one acts at once"));
    }
    table.number("max_ms", EFFECT_MS_MAX)?;
    table
        .take("stacking")
        .map_or(Ok(""), |entry| entry.text())?;
    Ok(match kind {
        EffectKind::Steal => Effect::Steal { percent: magnitude },
        EffectKind::Swap => Effect::Swap,
        EffectKind::Teleport => Effect::Teleport,
        EffectKind::Reveal => Effect::Reveal { radius: magnitude },
        EffectKind::Cleanse => Effect::Cleanse,
        EffectKind::Shield
        | EffectKind::Reflect
        | EffectKind::Freeze
        | EffectKind::Speed
        | EffectKind::Loot
        | EffectKind::Magnet
        | EffectKind::Cloak => unreachable!("{kind:?} lasts"),
    })
}

fn timing(
    table: &mut Table<'_>,
    max_magnitude: Option<u8>,
) -> Result<(u32, Stacking), RulesetError> {
    let duration_ms = table.need("duration_ms")?.number(1, EFFECT_MS_MAX)?;
    let max_ms = match table.take("max_ms") {
        Some(entry) => Some(entry.number(duration_ms, EFFECT_MS_MAX)? as u32),
        None => None,
    };
    let stacking_key = table.need("stacking")?;
    let stacking = match stacking_key.text()? {
        "refresh" => Stacking::Refresh,
        "ignore" => Stacking::Ignore,
        "extend" => Stacking::Extend {
            max_ms: max_ms.ok_or_else(|| table.missing("max_ms"))?,
        },
        "stack" => {
            let max_magnitude = max_magnitude.ok_or_else(|| table.missing("max_magnitude"))?;
            Stacking::Stack { max_magnitude }
        }
        other => {
            let problem = format!("is {other:?}, and must be refresh, extend, stack or ignore");
            return Err(stacking_key.error(problem));
        }
    };
    Ok((duration_ms as u32, stacking))
}

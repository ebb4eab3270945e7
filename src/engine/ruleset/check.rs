//! Which rulesets are taken. Every error that docs/rules.md lists is found here.

use super::{
    EFFECT_MS_MAX, EffectKind, Fault, POWER_UPS_MAX, PowerUp, RULESET_BYTES_MAX, Target,
    effect::{Effect, Stacking, Timed, TimedKind, is_hostile},
    file::{Entry, Source, Table, cut, parse},
};

const EFFECTS_MAX: usize = 4;
const WEIGHT_SUM_MAX: u64 = 1 << 32;
const MAGNITUDE_MAX: u64 = 255;

/// Faults that are told of one file, the first by line: it may have thousands.
const FAULTS_MAX: usize = 50;

const FILE_KEYS: [&str; 1] = ["power_up"];
const POWER_UP_KEYS: [&str; 8] = [
    "name",
    "weight",
    "target",
    "range",
    "radius",
    "cooldown_ms",
    "usable_while_frozen",
    "effects",
];
const EFFECT_KEYS: [&str; 6] = [
    "kind",
    "magnitude",
    "duration_ms",
    "stacking",
    "max_ms",
    "max_magnitude",
];

const NAMES: &str = "1..32 of [a-z0-9_]";
const TARGETS: &str = "self, player or area";
const STACKINGS: &str = "refresh, extend, stack or ignore";
const KINDS: &str =
    "shield, reflect, freeze, speed, loot, magnet, cloak, steal, swap, teleport, reveal or cleanse";

/// The power-ups of a file, or all that is wrong with it, by line.
pub(super) fn power_ups(bytes: &[u8]) -> Result<Vec<PowerUp>, Vec<Fault>> {
    let source = Source(bytes);
    if bytes.len() > RULESET_BYTES_MAX {
        let problem =
            format!("has more than {RULESET_BYTES_MAX} bytes, which is the limit of a ruleset");
        return Err(vec![source.fault(0, "", problem)]);
    }
    let text = source.text().map_err(|fault| vec![fault])?;
    let document = parse(text).map_err(|fault| vec![fault])?;
    let mut check = Check::default();
    let power_ups = check.file(&Table::new(source, String::new(), 0, document.get_ref()));
    let mut faults = check.faults;
    if faults.is_empty() {
        return Ok(power_ups);
    }
    faults.sort_by_key(|fault| fault.line);
    faults.truncate(FAULTS_MAX);
    Err(faults)
}

/// A check under way. It goes on after a fault, so that all are told at once.
#[derive(Default)]
struct Check<'a> {
    faults: Vec<Fault>,
    /// Of the power-ups so far.
    names: Vec<&'a str>,
    weights: Vec<u64>,
}

impl<'a> Check<'a> {
    /// The value; or nothing, and one fault more.
    fn good<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// The same for a key that may be absent, which counts as `absent`.
    fn good_or<'t, T>(
        &mut self,
        entry: Option<&'t Entry<'a>>,
        absent: T,
        read: impl FnOnce(&'t Entry<'a>) -> Result<T, Fault>,
    ) -> Option<T> {
        self.good(entry.map_or(Ok(absent), read))
    }

    fn file(&mut self, root: &Table<'a>) -> Vec<PowerUp> {
        self.faults.extend(root.unknown(&FILE_KEYS));
        let expected = format!("an array of 1..{POWER_UPS_MAX} tables");
        let Some(list) = self.good(root.need("power_up", &expected)) else {
            return Vec::new();
        };
        let tables = self.good(list.tables(1, POWER_UPS_MAX)).unwrap_or_default();
        let power_ups: Vec<_> = tables
            .iter()
            .filter_map(|table| self.power_up(table))
            .collect();
        let all_known = !tables.is_empty() && self.weights.len() == tables.len();
        if all_known && self.weights.iter().all(|weight| *weight == 0) {
            let problem = "has a weight of 0 throughout, so that no cache could be drawn";
            self.faults.push(list.fault(problem));
        }
        power_ups
    }

    fn power_up(&mut self, table: &Table<'a>) -> Option<PowerUp> {
        self.faults.extend(table.unknown(&POWER_UP_KEYS));
        let name = self.name(table);
        let weight = self.weight(table);
        let target = self.target(table);
        let cooldown = table.get("cooldown_ms");
        let cooldown_ms = self.good_or(cooldown, 0, |entry| entry.number(0, EFFECT_MS_MAX));
        let frozen = table.get("usable_while_frozen");
        let usable_while_frozen = self.good_or(frozen, false, Entry::flag);
        let effects = self.effects(table, target);
        Some(PowerUp {
            name: name?.into(),
            weight: weight?,
            target: target?,
            cooldown_ms: cooldown_ms? as u32,
            usable_while_frozen: usable_while_frozen?,
            effects: effects?,
        })
    }

    fn name(&mut self, table: &Table<'a>) -> Option<&'a str> {
        let entry = self.good(table.need("name", NAMES))?;
        let name = self.good(entry.text())?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=32).contains(&name.len()) || !name.bytes().all(allowed) {
            let problem = format!("is {:?}, and must be {NAMES}", cut(name));
            self.faults.push(entry.fault(problem));
            return None;
        }
        if self.names.contains(&name) {
            let problem = format!("is {name:?}, which another power-up has");
            self.faults.push(entry.fault(problem));
        }
        self.names.push(name);
        Some(name)
    }

    fn weight(&mut self, table: &Table<'a>) -> Option<u64> {
        let entry = self.good(table.need("weight", &format!("0..{WEIGHT_SUM_MAX}")))?;
        let weight = self.good(entry.number(0, WEIGHT_SUM_MAX))?;
        let before: u64 = self.weights.iter().sum();
        let sum = before + weight;
        if sum > WEIGHT_SUM_MAX && before <= WEIGHT_SUM_MAX {
            let problem =
                format!("brings the sum of weights to {sum}, which must be 1..{WEIGHT_SUM_MAX}");
            self.faults.push(entry.fault(problem));
        }
        self.weights.push(weight);
        Some(weight)
    }

    fn target(&mut self, table: &Table<'a>) -> Option<Target> {
        let cells_max = u64::from(u32::MAX);
        let range = self.good_or(table.get("range"), 0, |entry| entry.number(0, cells_max));
        let radius_key = table.get("radius");
        let radius = self.good_or(radius_key, 0, |entry| entry.number(0, cells_max));
        let entry = self.good(table.need("target", TARGETS))?;
        let target = match self.good(entry.text())? {
            "self" => Target::User,
            "player" => Target::Player {
                range: range? as u32,
            },
            "area" => Target::Area {
                radius: radius? as u32,
            },
            other => {
                let problem = format!("is {:?}, and must be {TARGETS}", cut(other));
                self.faults.push(entry.fault(problem));
                return None;
            }
        };
        if let (Some(radius), Target::User | Target::Player { .. }) = (radius_key, target) {
            let problem = "is for the target area alone";
            self.faults.push(radius.fault(problem));
        }
        Some(target)
    }

    fn effects(&mut self, table: &Table<'a>, target: Option<Target>) -> Option<Vec<Effect>> {
        let expected = format!("an array of 1..{EFFECTS_MAX} tables");
        let entry = self.good(table.need("effects", &expected))?;
        let tables = self.good(entry.tables(1, EFFECTS_MAX))?;
        let (mut reveals, mut effects) = (0, Vec::new());
        for table in &tables {
            let Some(kind) = self.kind(table, target) else {
                continue;
            };
            reveals += usize::from(kind == EffectKind::Reveal);
            if kind == EffectKind::Reveal && reveals > 1 {
                let problem = "is reveal again, and a power-up has one at most";
                self.faults
                    .extend(table.get("kind").map(|kind| kind.fault(problem)));
            }
            effects.extend(self.effect(table, kind));
        }
        (effects.len() == tables.len()).then_some(effects)
    }

    fn kind(&mut self, table: &Table<'a>, target: Option<Target>) -> Option<EffectKind> {
        self.faults.extend(table.unknown(&EFFECT_KEYS));
        let entry = self.good(table.need("kind", KINDS))?;
        let kind = self.good(kind(entry))?;
        match target {
            Some(Target::User) if is_hostile(kind) => {
                let problem = "is hostile, and must have the target player or area";
                self.faults.push(entry.fault(problem));
            }
            Some(Target::Player { .. } | Target::Area { .. }) if kind == EffectKind::Reveal => {
                let problem = "is reveal, and must have the target self";
                self.faults.push(entry.fault(problem));
            }
            Some(Target::User | Target::Player { .. } | Target::Area { .. }) | None => {}
        }
        Some(kind)
    }

    fn effect(&mut self, table: &Table<'a>, kind: EffectKind) -> Option<Effect> {
        let magnitude = self.magnitude(table, kind);
        let max_magnitude = self.bound(table, "max_magnitude", magnitudes(kind).1);
        self.within_own(
            table,
            "magnitude",
            magnitude,
            "max_magnitude",
            max_magnitude,
        );
        let max_ms = self.bound(table, "max_ms", EFFECT_MS_MAX);
        let Some(timed) = TimedKind::of(kind) else {
            self.no_timing(table);
            return Some(instant(kind, magnitude? as u8));
        };
        let duration_ms = self.duration(table);
        self.within_own(table, "duration_ms", duration_ms, "max_ms", max_ms);
        let stacking = self.stacking(table, max_ms, max_magnitude, magnitudes(kind).1);
        Some(Effect::Timed(Timed {
            kind: timed,
            magnitude: magnitude? as u8,
            duration_ms: duration_ms? as u32,
            stacking: stacking?,
        }))
    }

    fn magnitude(&mut self, table: &Table<'a>, kind: EffectKind) -> Option<u64> {
        let (min, max) = magnitudes(kind);
        match table.get("magnitude") {
            Some(entry) => self.good(entry.number(min, max)),
            None if min == 0 => Some(0),
            None => {
                let expected = format!("{min}..{max}");
                self.faults.push(table.missing("magnitude", &expected));
                None
            }
        }
    }

    /// A kind that acts at once has no duration. The other keys of timing say nothing about it, and
    /// docs/rules.md does not refuse them.
    fn no_timing(&mut self, table: &Table<'a>) {
        if let Some(duration) = table.get("duration_ms") {
            let problem = "is for kinds that last, and this one acts at once";
            self.faults.push(duration.fault(problem));
        }
        self.good_or(table.get("stacking"), "", Entry::text);
    }

    fn duration(&mut self, table: &Table<'a>) -> Option<u64> {
        let entry = self.good(table.need("duration_ms", &format!("1..{EFFECT_MS_MAX}")))?;
        self.good(entry.number(1, EFFECT_MS_MAX))
    }

    /// A bound that the file itself sets. Nothing where it cannot be taken.
    fn bound(&mut self, table: &Table<'a>, name: &str, max: u64) -> Option<Option<u64>> {
        self.good_or(table.get(name), None, |entry| {
            entry.number(0, max).map(Some)
        })
    }

    /// Complains of a number over its own bound.
    fn within_own(
        &mut self,
        table: &Table<'a>,
        name: &str,
        number: Option<u64>,
        bound_name: &str,
        bound: Option<Option<u64>>,
    ) {
        let (Some(entry), Some(number), Some(Some(bound))) = (table.get(name), number, bound)
        else {
            return;
        };
        if number > bound {
            let problem = format!("is {number}, and must be at most its own {bound_name}, {bound}");
            self.faults.push(entry.fault(problem));
        }
    }

    fn stacking(
        &mut self,
        table: &Table<'a>,
        max_ms: Option<Option<u64>>,
        max_magnitude: Option<Option<u64>>,
        magnitude_max: u64,
    ) -> Option<Stacking> {
        let entry = self.good(table.need("stacking", STACKINGS))?;
        let fault = match self.good(entry.text())? {
            "refresh" => return Some(Stacking::Refresh),
            "ignore" => return Some(Stacking::Ignore),
            "extend" => match max_ms? {
                Some(max_ms) => {
                    let max_ms = max_ms as u32;
                    return Some(Stacking::Extend { max_ms });
                }
                None => table.missing(
                    "max_ms",
                    &format!("0..{EFFECT_MS_MAX}, for stacking is extend"),
                ),
            },
            "stack" => match max_magnitude? {
                Some(max_magnitude) => {
                    return Some(Stacking::Stack {
                        max_magnitude: max_magnitude as u8,
                    });
                }
                None => {
                    let expected = format!("0..{magnitude_max}, for stacking is stack");
                    table.missing("max_magnitude", &expected)
                }
            },
            other => entry.fault(format!("is {:?}, and must be {STACKINGS}", cut(other))),
        };
        self.faults.push(fault);
        None
    }
}

fn kind(entry: &Entry<'_>) -> Result<EffectKind, Fault> {
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
            return Err(entry.fault(format!("is {:?}, and must be {KINDS}", cut(other))));
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

fn instant(kind: EffectKind, magnitude: u8) -> Effect {
    match kind {
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
    }
}

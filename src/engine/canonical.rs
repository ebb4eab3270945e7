//! The canonical proto3 bytes of a hunt's parts, as the digest hashes them: no tag or length around a part.
//! A property test holds these bytes against prost's (tests/rules/canonical.rs).

use xxhash_rust::xxh64::xxh64;

use super::{
    PlayerId,
    fields::Fields,
    hunt::Head,
    map::Found,
    player::{PlayerRecord, Remembered},
    ruleset::TimedKind,
    settings::Settings,
};

/// The seeds that keep parts of different kinds apart.
const SEED_HEAD: u64 = 0;
const SEED_PLAYER: u64 = 1;
const SEED_TREASURE: u64 = 2;
const SEED_CACHE: u64 = 3;

/// The hash of the snapshot without its parts, and with epoch 0.
pub(super) fn head_hash(head: &Head, random_state: u64) -> u64 {
    let mut settings = Vec::with_capacity(64);
    write_settings(&mut Fields::of(&mut settings), &head.settings);

    let mut bytes = Vec::with_capacity(320);
    let mut fields = Fields::of(&mut bytes);
    fields.number(1, super::snapshot::FORMAT.into());
    fields.text(2, head.id.as_str());
    fields.message(3, &settings);
    fields.text(4, head.ruleset.hash());
    fields.number(6, head.sequence);
    fields.signed(7, head.starts_at_ms);
    fields.signed(8, head.last_at_ms);
    fields.fixed64(9, random_state);
    fields.number(10, head.ended.into());
    fields.number(14, super::RULES_VERSION.into());
    xxh64(&bytes, SEED_HEAD)
}

fn write_settings(fields: &mut Fields<'_>, settings: &Settings) {
    fields.fixed64(1, settings.seed);
    fields.number(2, settings.width.into());
    fields.number(3, settings.height.into());
    fields.number(4, settings.treasures.into());
    fields.number(5, settings.caches.into());
    fields.number(6, settings.max_players.into());
    fields.number(7, settings.duration_ms);
    fields.text(8, &settings.ruleset);
}

/// The hash of one player, whose inventory has `kinds` counts. `scratch` saves an allocation a player.
pub(super) fn player_hash(
    scratch: &mut Vec<u8>,
    id: PlayerId,
    record: &PlayerRecord,
    remembered: &Remembered,
    kinds: u8,
) -> u64 {
    scratch.clear();
    let mut fields = Fields::of(scratch);
    fields.fixed64(1, id.get());
    fields.number(2, record.is_present().into());
    fields.number(3, record.place.x.into());
    fields.number(4, record.place.y.into());
    fields.number(5, record.score);
    fields.number(6, record.version.into());
    fields.nested(7, |packed| {
        packed.packed((0..kinds).map(|power_up| record.inventory.count(power_up)));
    });
    for kind in TimedKind::ALL {
        if let Some((magnitude, until_ms)) = record.slot(kind) {
            fields.nested(8, |effect| {
                effect.number(1, kind.kind() as u64);
                effect.number(2, magnitude.into());
                effect.number(3, until_ms.into());
            });
        }
    }
    fields.number(9, record.cooldown_until_ms.into());
    for (request, sequence) in remembered.iter() {
        fields.nested(10, |entry| {
            entry.fixed64(1, request);
            entry.number(2, sequence);
        });
    }
    xxh64(scratch, SEED_PLAYER)
}

/// The hash of a treasure.
pub(super) fn treasure_hash(found: Found) -> u64 {
    spot_hash(found, SEED_TREASURE)
}

/// The hash of a cache.
pub(super) fn cache_hash(found: Found) -> u64 {
    spot_hash(found, SEED_CACHE)
}

/// A `Treasure` and a `Cache` have the same fields: x, y and what lies there.
fn spot_hash(found: Found, seed: u64) -> u64 {
    let mut bytes = Vec::with_capacity(16);
    let mut fields = Fields::of(&mut bytes);
    fields.number(1, found.place.x.into());
    fields.number(2, found.place.y.into());
    fields.number(3, found.meaning.into());
    xxh64(&bytes, seed)
}

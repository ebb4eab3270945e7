//! The canonical proto3 bytes of a hunt's parts, as the digest hashes them.
//!
//! Written by hand because the engine knows no protobuf library, and because a player is hashed on the hot
//! path: fields by number, defaults left out, numbers packed, no tag or length around a part. A property test
//! holds these bytes against prost's (tests/rules/canonical.rs). Reasons: docs/decisions/canonical-bytes.md.

use xxhash_rust::xxh64::xxh64;

use super::{
    PlayerId,
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

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

/// Fields of one message, in order. A part under 128 bytes can be nested in place: its length is one byte.
struct Fields<'a>(&'a mut Vec<u8>);

impl Fields<'_> {
    fn tag(&mut self, field: u8, wire: u8) {
        debug_assert!(field < 16, "a tag of one byte");
        self.0.push(field << 3 | wire);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.varint(value);
        }
    }

    /// `int64`: a negative number takes ten bytes.
    fn signed(&mut self, field: u8, value: i64) {
        self.number(field, value as u64);
    }

    fn fixed64(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.tag(field, FIXED64);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn text(&mut self, field: u8, value: &str) {
        if !value.is_empty() {
            self.tag(field, BYTES);
            self.varint(value.len() as u64);
            self.0.extend_from_slice(value.as_bytes());
        }
    }

    /// A message within this one, which is written even when it is empty.
    fn nested(&mut self, field: u8, write: impl FnOnce(&mut Fields<'_>)) {
        self.tag(field, BYTES);
        let length_at = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - length_at - 1;
        debug_assert!(length < 0x80, "a length of one byte");
        self.0[length_at] = length as u8;
    }
}

/// The hash of the snapshot without its parts, and with epoch 0.
pub(super) fn head_hash(head: &Head, random_state: u64) -> u64 {
    let mut settings = Vec::with_capacity(64);
    write_settings(&mut Fields(&mut settings), &head.settings);

    let mut bytes = Vec::with_capacity(320);
    let mut fields = Fields(&mut bytes);
    fields.number(1, super::snapshot::FORMAT.into());
    fields.text(2, head.id.as_str());
    fields.tag(3, BYTES);
    fields.varint(settings.len() as u64);
    fields.0.extend_from_slice(&settings);
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
    let mut fields = Fields(scratch);
    fields.fixed64(1, id.get());
    fields.number(2, record.is_present().into());
    fields.number(3, record.place.x.into());
    fields.number(4, record.place.y.into());
    fields.number(5, record.score);
    fields.number(6, record.version.into());
    fields.nested(7, |packed| {
        packed
            .0
            .extend((0..kinds).map(|power_up| record.inventory.count(power_up)));
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

/// The hash of a treasure. `scratch` saves an allocation, as it does for players.
pub(super) fn treasure_hash(scratch: &mut Vec<u8>, found: Found) -> u64 {
    spot_hash(scratch, found, SEED_TREASURE)
}

/// The hash of a cache.
pub(super) fn cache_hash(scratch: &mut Vec<u8>, found: Found) -> u64 {
    spot_hash(scratch, found, SEED_CACHE)
}

/// A `Treasure` and a `Cache` have the same fields: x, y and what lies there.
fn spot_hash(scratch: &mut Vec<u8>, found: Found, seed: u64) -> u64 {
    scratch.clear();
    let mut fields = Fields(scratch);
    fields.number(1, found.place.x.into());
    fields.number(2, found.place.y.into());
    fields.number(3, found.meaning.into());
    xxh64(scratch, seed)
}

//! What the tests on generated and concurrent hunts begin with.

use player_state::engine::{HuntId, PlayerId, RawAction, RawCommand, RequestId, Settings};

/// When every hunt here starts, in Unix milliseconds.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A map of 20 × 20, room for 6 players, 100 s.
pub(crate) fn settings() -> Settings {
    Settings {
        seed: 42,
        width: 20,
        height: 20,
        treasures: 200,
        caches: 200,
        max_players: 6,
        duration_ms: 100_000,
        ruleset: String::new(),
    }
}

pub(crate) fn hunt_id() -> HuntId {
    HuntId::parse("staged").expect("valid")
}

pub(crate) fn player_id(id: u64) -> PlayerId {
    PlayerId::new(id).expect("not 0")
}

/// A command of the staged hunt.
pub(crate) fn command(player: u64, request: u64, action: RawAction<'_>) -> RawCommand<'_> {
    assert!(RequestId::new(request).is_some());
    RawCommand {
        hunt_id: "staged",
        player_id: player,
        request_id: request,
        expected_version: 0,
        epoch: 0,
        action: Some(action),
    }
}

//! "Actions", but for power-ups.

use player_state::engine::{EffectKind, RawAction, Rejection, Treasure};

use crate::stage::{Setup, settings};

const JOIN: RawAction<'_> = RawAction::Join;
const LEAVE: RawAction<'_> = RawAction::Leave;
const DIG: RawAction<'_> = RawAction::Dig;
const PICK_UP: RawAction<'_> = RawAction::PickUp;

fn to(x: u32, y: u32) -> RawAction<'static> {
    RawAction::Move { x, y }
}

#[test]
fn join_draws_x_then_y_for_a_new_player() {
    let mut stage = Setup::classic().begin();
    let mut state = stage.hunt.snapshot().random_state;
    let mut below = |n: u64| {
        // SplitMix64, written out a second time.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ z >> 31) * u128::from(n)) >> 64) as u16
    };
    let (x, y) = (below(20), below(20));
    let summary = stage.applied(0, 1, JOIN).player.expect("known by now");
    assert_eq!(
        (summary.x, summary.y, summary.score, summary.version),
        (x, y, 0, 1)
    );
    assert_eq!(stage.hunt.snapshot().random_state, state);
}

#[test]
fn join_of_one_who_is_present_changes_the_version_alone() {
    let mut stage = Setup::classic()
        .player(1, |player| player.at(3, 4).score(9))
        .begin();
    let before = stage.player(1);
    stage.applied(0, 1, JOIN);
    let mut after = stage.player(1);
    assert_eq!((after.version, after.remembered.len()), (1, 1));
    (after.version, after.remembered) = (before.version, before.remembered.clone());
    assert_eq!(after, before);
}

#[test]
fn who_left_comes_back_as_they_were() {
    let mut stage = Setup::classic()
        .player(1, |player| player.at(3, 4).holds("cloak", 2))
        .begin();
    stage.applied(0, 1, LEAVE);
    assert_eq!(stage.rejected(0, 1, LEAVE), Rejection::NotJoined);
    assert_eq!((stage.hunt.present(), stage.hunt.ever_joined()), (0, 1));
    stage.applied(0, 1, JOIN);
    let back = stage.player(1);
    assert_eq!(
        (back.x, back.y, back.version, back.present),
        (3, 4, 2, true)
    );
    assert_eq!(back.inventory.iter().sum::<u32>(), 2);
}

#[test]
fn a_hunt_is_full_by_who_is_present_and_for_the_new_by_who_ever_joined() {
    let max = u64::from(settings().max_players);
    let mut full = Setup::classic().player(99, |player| player.absent());
    for id in 1..=max {
        full = full.player(id, |player| player);
    }
    let mut full = full.begin();
    assert_eq!(full.rejected(0, 50, JOIN), Rejection::HuntFull);
    assert_eq!(
        full.rejected(0, 99, JOIN),
        Rejection::HuntFull,
        "nor for one who comes back"
    );
    full.applied(0, 1, LEAVE);
    full.applied(0, 99, JOIN);

    let mut worn = Setup::classic();
    for id in 1..=2 * max {
        worn = worn.player(id, |player| player.absent());
    }
    let mut worn = worn.begin();
    assert_eq!(worn.rejected(0, 50, JOIN), Rejection::HuntFull);
    worn.applied(0, 1, JOIN);
}

#[test]
fn a_move_is_checked_for_bounds_then_frost_then_distance() {
    let frozen = |player: crate::stage::Player| player.at(19, 19).under(EffectKind::Freeze, 0, 100);
    let mut stage = Setup::classic().player(1, frozen).begin();
    assert_eq!(stage.rejected(0, 1, to(20, 19)), Rejection::OutOfBounds);
    assert_eq!(
        stage.rejected(0, 1, to(u32::MAX, 0)),
        Rejection::OutOfBounds
    );
    assert_eq!(stage.rejected(99, 1, to(0, 0)), Rejection::Frozen);
    assert_eq!(stage.rejected(100, 1, to(17, 19)), Rejection::TooFar);
    stage.applied(100, 1, to(18, 18));
    stage.applied(100, 1, to(18, 18));
}

#[test]
fn speed_is_the_step_while_it_is_on() {
    let fast = |player: crate::stage::Player| player.at(5, 5).under(EffectKind::Speed, 3, 100);
    let mut stage = Setup::classic().player(1, fast).begin();
    assert_eq!(stage.rejected(0, 1, to(9, 5)), Rejection::TooFar);
    stage.applied(99, 1, to(8, 2));
    assert_eq!(stage.rejected(100, 1, to(10, 2)), Rejection::TooFar);
}

#[test]
fn dig_takes_the_treasure_of_the_own_cell_once() {
    let mut stage = Setup::classic()
        .treasures(&[(5, 5, 70), (6, 5, 100)])
        .player(1, |player| player.at(5, 5).score(1))
        .player(2, |player| {
            player.at(5, 5).under(EffectKind::Freeze, 0, 100)
        })
        .begin();
    assert_eq!(stage.rejected(0, 2, DIG), Rejection::Frozen);
    let dug = stage.applied(0, 1, DIG);
    assert_eq!(
        dug.treasures,
        [Treasure {
            x: 5,
            y: 5,
            value: 70
        }]
    );
    assert_eq!(dug.player.map(|player| player.score), Some(71));
    assert_eq!(stage.rejected(0, 1, DIG), Rejection::NothingHere);
    assert_eq!(
        stage.hunt.snapshot().treasures,
        [Treasure {
            x: 6,
            y: 5,
            value: 100
        }]
    );
}

#[test]
fn a_magnet_digs_its_radius_by_ascending_cell() {
    let magnet = |player: crate::stage::Player| player.at(5, 5).under(EffectKind::Magnet, 2, 100);
    let mut stage = Setup::classic()
        .treasures(&[(7, 3, 10), (3, 7, 20), (5, 5, 30), (8, 5, 40), (2, 5, 50)])
        .player(1, magnet)
        .begin();
    let values: Vec<_> = stage
        .applied(0, 1, DIG)
        .treasures
        .iter()
        .map(|found| found.value)
        .collect();
    assert_eq!(values, [10, 30, 20]);
    assert_eq!(stage.rejected(0, 1, DIG), Rejection::NothingHere);
    assert_eq!(stage.rejected(100, 1, DIG), Rejection::NothingHere);
}

#[test]
fn a_magnet_digs_the_first_64() {
    let everywhere: Vec<_> = (0..9)
        .flat_map(|y| (0..9).map(move |x| (x, y, 10)))
        .collect();
    let magnet = |player: crate::stage::Player| player.at(4, 4).under(EffectKind::Magnet, 4, 100);
    let mut stage = Setup::classic()
        .treasures(&everywhere)
        .player(1, magnet)
        .begin();
    let dug = stage.applied(0, 1, DIG);
    assert_eq!(
        (dug.treasures.len(), dug.player.map(|player| player.score)),
        (64, Some(640))
    );
    assert_eq!(
        stage.hunt.snapshot().treasures[0],
        Treasure {
            x: 1,
            y: 7,
            value: 10
        }
    );
    assert_eq!(stage.applied(0, 1, DIG).treasures.len(), 17);
}

#[test]
fn loot_is_a_percentage_of_each_treasure_rounded_down() {
    let looting = |player: crate::stage::Player| {
        player
            .at(5, 5)
            .under(EffectKind::Loot, 155, 100)
            .under(EffectKind::Magnet, 1, 100)
    };
    let mut stage = Setup::classic()
        .treasures(&[(5, 5, 10), (6, 5, 30)])
        .player(1, looting)
        .begin();
    let dug = stage.applied(0, 1, DIG);
    let worth: Vec<_> = dug
        .treasures
        .iter()
        .map(|treasure| treasure.value)
        .collect();
    assert_eq!(
        (worth, dug.player.map(|player| player.score)),
        (vec![15, 46], Some(61))
    );
}

#[test]
fn digging_ends_a_cloak_and_finding_nothing_does_not() {
    let cloaked = |player: crate::stage::Player| player.at(5, 5).under(EffectKind::Cloak, 0, 100);
    let mut stage = Setup::classic()
        .treasures(&[(5, 5, 10)])
        .player(1, cloaked)
        .begin();
    stage.applied(0, 1, to(5, 6));
    assert_eq!(stage.rejected(0, 1, DIG), Rejection::NothingHere);
    stage.applied(0, 1, to(5, 5));
    assert_eq!(stage.slot(1, EffectKind::Cloak), Some((0, 100)));
    stage.applied(200, 1, DIG);
    assert_eq!(
        stage.slot(1, EffectKind::Cloak),
        None,
        "cleared also when past"
    );
}

#[test]
fn a_cache_is_picked_up_once_by_name_and_the_tenth_of_a_kind_is_not() {
    let mut stage = Setup::classic()
        .caches(&[(5, 5, 2), (6, 5, 0)])
        .player(1, |player| {
            player
                .at(5, 5)
                .holds("shield", 9)
                .under(EffectKind::Cloak, 0, 100)
        })
        .player(2, |player| {
            player.at(5, 5).under(EffectKind::Freeze, 0, 100)
        })
        .begin();
    assert_eq!(stage.rejected(0, 2, PICK_UP), Rejection::Frozen);
    let picked_up = stage.applied(0, 1, PICK_UP).picked_up;
    assert_eq!(picked_up.as_deref(), Some("freeze_ray"));
    assert_eq!(stage.player(1).inventory[2], 1);
    assert_eq!(stage.slot(1, EffectKind::Cloak), Some((0, 100)));
    assert_eq!(stage.rejected(0, 1, PICK_UP), Rejection::NothingHere);
    stage.applied(0, 1, to(6, 5));
    assert_eq!(stage.rejected(0, 1, PICK_UP), Rejection::InventoryFull);
}

//! Using a power-up: its checks, its price, whom it reaches; and what each one of classic.toml does.

use player_state::engine::{EffectKind, Impact, ImpactResult, RawAction, Rejection, Treasure};

use crate::stage::{Player, Setup, impact};

fn using(power_up: &str, target: u64) -> RawAction<'_> {
    RawAction::UsePowerUp { power_up, target }
}

/// An impact on a slot.
fn timed(player: u64, effect: EffectKind, place: (u16, u16), slot: (u8, u32)) -> Impact {
    let (magnitude, until_ms) = slot;
    Impact {
        magnitude,
        until_ms,
        ..impact(player, effect, ImpactResult::Applied, place)
    }
}

#[test]
fn a_use_is_checked_in_the_order_of_the_rules() {
    let user = |player: Player| {
        player
            .holds("freeze_ray", 1)
            .cooling_until(50)
            .under(EffectKind::Freeze, 0, 60)
    };
    let mut stage = Setup::classic()
        .player(1, user)
        .player(2, |player| player.at(9, 0).under(EffectKind::Cloak, 0, 70))
        .player(3, |player| player.absent())
        .begin();
    assert_eq!(
        stage.rejected(0, 1, using("excalibur", 2)),
        Rejection::UnknownPowerUp
    );
    assert_eq!(
        stage.rejected(0, 1, using("pickpocket", 2)),
        Rejection::NotHeld
    );
    assert_eq!(
        stage.rejected(49, 1, using("freeze_ray", 2)),
        Rejection::OnCooldown
    );
    assert_eq!(
        stage.rejected(50, 1, using("freeze_ray", 2)),
        Rejection::Frozen
    );
    for nobody in [0, 1, 3, 4] {
        assert_eq!(
            stage.rejected(60, 1, using("freeze_ray", nobody)),
            Rejection::InvalidTarget
        );
    }
    assert_eq!(
        stage.rejected(60, 1, using("freeze_ray", 2)),
        Rejection::TargetHidden
    );
    assert_eq!(
        stage.rejected(70, 1, using("freeze_ray", 2)),
        Rejection::OutOfRange
    );
    stage.applied(70, 1, RawAction::Move { x: 1, y: 1 });
    stage.applied(70, 1, using("freeze_ray", 2));
    assert_eq!(
        stage.rejected(70, 1, using("freeze_ray", 2)),
        Rejection::NotHeld
    );
}

#[test]
fn self_takes_nobody_or_oneself_and_area_nobody() {
    let user = |player: Player| player.holds("shield", 3).holds("blizzard", 2);
    let mut stage = Setup::classic()
        .player(1, user)
        .player(2, |player| player)
        .begin();
    assert_eq!(
        stage.rejected(0, 1, using("shield", 2)),
        Rejection::InvalidTarget
    );
    stage.applied(0, 1, using("shield", 0));
    stage.applied(0, 1, using("shield", 1));
    for somebody in [1, 2] {
        assert_eq!(
            stage.rejected(0, 1, using("blizzard", somebody)),
            Rejection::InvalidTarget
        );
    }
}

#[test]
fn one_cooldown_blocks_every_power_up_and_none_leaves_it_as_it_is() {
    let user = |player: Player| player.holds("blink", 1).holds("shield", 2);
    let mut stage = Setup::classic().player(1, user).begin();
    stage.uses(100, 1, "blink", 0);
    assert_eq!(stage.player(1).cooldown_until_ms, 2_100);
    assert_eq!(
        stage.rejected(2_099, 1, using("shield", 0)),
        Rejection::OnCooldown
    );
    stage.uses(2_100, 1, "shield", 0);
    assert_eq!(stage.player(1).cooldown_until_ms, 2_100);
}

#[test]
fn a_hostile_use_ends_the_users_cloak_and_another_does_not() {
    let user = |player: Player| {
        player
            .holds("blizzard", 1)
            .holds("shield", 1)
            .under(EffectKind::Cloak, 0, 90_000)
    };
    let mut stage = Setup::classic().player(1, user).begin();
    stage.uses(0, 1, "shield", 0);
    assert_eq!(stage.slot(1, EffectKind::Cloak), Some((0, 90_000)));
    assert_eq!(
        stage.uses(0, 1, "blizzard", 0),
        [],
        "an area that reaches nobody is applied"
    );
    assert_eq!(stage.slot(1, EffectKind::Cloak), None);
    assert_eq!(stage.player(1).inventory[3], 0, "and costs the item");
}

#[test]
fn an_area_reaches_who_can_be_seen_within_the_radius_by_ascending_id() {
    let mut stage = Setup::classic()
        .player(5, |player| player.at(10, 10).holds("blizzard", 1))
        .player(9, |player| player.at(13, 13))
        .player(2, |player| player.at(7, 10))
        .player(3, |player| player.at(14, 10))
        .player(4, |player| player.at(10, 10).absent())
        .player(6, |player| {
            player.at(10, 10).under(EffectKind::Cloak, 0, 100)
        })
        .begin();
    let slot = (0, 2_050);
    let expected = [
        timed(2, EffectKind::Freeze, (7, 10), slot),
        timed(9, EffectKind::Freeze, (13, 13), slot),
    ];
    assert_eq!(stage.uses(50, 5, "blizzard", 0), expected);
}

#[test]
fn an_area_goes_by_id_and_not_by_who_joined_first() {
    let mut setup = Setup::classic().player(5, |player| player.holds("blizzard", 1));
    (
        setup.snapshot.settings.width,
        setup.snapshot.settings.height,
    ) = (3, 3);
    (
        setup.snapshot.settings.treasures,
        setup.snapshot.settings.caches,
    ) = (0, 0);
    let mut stage = setup.begin();
    for id in [9, 2, 7, 1] {
        stage.applied(0, id, RawAction::Join);
    }
    let reached = stage.uses(0, 5, "blizzard", 0);
    let ids: Vec<_> = reached.iter().map(|impact| impact.player.get()).collect();
    assert_eq!(ids, [1, 2, 7, 9]);
}

#[test]
fn an_area_reaches_the_first_64() {
    let mut setup = Setup::classic();
    setup.snapshot.settings.max_players = 70;
    for id in 1..=70 {
        setup = setup.player(id, |player| player.holds("blizzard", 1));
    }
    let reached: Vec<_> = setup
        .begin()
        .uses(0, 3, "blizzard", 0)
        .iter()
        .map(|impact| impact.player.get())
        .collect();
    assert_eq!(reached, (1..=65).filter(|id| *id != 3).collect::<Vec<_>>());
}

#[test]
fn an_area_of_radius_0_is_the_own_cell_and_a_range_of_0_is_everywhere() {
    let rules = r#"
        [[power_up]]
        name = "here"
        weight = 1
        target = "area"
        effects = [{ kind = "teleport" }]
        [[power_up]]
        name = "far"
        weight = 1
        target = "player"
        effects = [{ kind = "shield", magnitude = 2, duration_ms = 9, stacking = "refresh" }]
    "#;
    let mut stage = Setup::of_rules(rules)
        .player(1, |player| player.at(4, 4).holds("here", 1).holds("far", 1))
        .player(2, |player| player.at(4, 4))
        .player(3, |player| player.at(5, 4))
        .begin();
    let far = stage.uses(0, 1, "far", 3);
    assert_eq!(far, [timed(3, EffectKind::Shield, (5, 4), (2, 9))]);
    let here = stage.uses(0, 1, "here", 0);
    assert_eq!(
        here.iter()
            .map(|impact| impact.player.get())
            .collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn shield_stacks_to_three_charges() {
    let mut stage = Setup::classic()
        .player(1, |player| player.holds("shield", 4))
        .begin();
    for (now, charges) in [(0, 1), (1_000, 2), (2_000, 3), (3_000, 3)] {
        let slot = (charges, now + 10_000);
        let expected = [timed(1, EffectKind::Shield, (0, 0), slot)];
        assert_eq!(stage.uses(now, 1, "shield", 0), expected);
    }
}

#[test]
fn mirror_cloak_and_magnet_refresh() {
    let user = |player: Player| {
        player
            .holds("mirror", 1)
            .holds("cloak", 1)
            .holds("magnet", 2)
    };
    let mut stage = Setup::classic().player(1, user).begin();
    let mirror = [timed(1, EffectKind::Reflect, (0, 0), (0, 5_000))];
    assert_eq!(stage.uses(0, 1, "mirror", 0), mirror);
    assert_eq!(
        stage.uses(0, 1, "cloak", 0),
        [timed(1, EffectKind::Cloak, (0, 0), (0, 10_000))]
    );
    stage.uses(0, 1, "magnet", 0);
    let magnet = [timed(1, EffectKind::Magnet, (0, 0), (2, 25_000))];
    assert_eq!(stage.uses(5_000, 1, "magnet", 0), magnet);
}

#[test]
fn sprint_and_double_loot_extend_up_to_their_most() {
    let user = |player: Player| player.holds("sprint", 4).holds("double_loot", 1);
    let mut stage = Setup::classic().player(1, user).begin();
    for (now, until_ms) in [(0, 8_000), (0, 16_000), (0, 24_000), (1_000, 25_000)] {
        let expected = [timed(1, EffectKind::Speed, (0, 0), (3, until_ms))];
        assert_eq!(stage.uses(now, 1, "sprint", 0), expected);
    }
    let loot = [timed(1, EffectKind::Loot, (0, 0), (200, 16_000))];
    assert_eq!(stage.uses(1_000, 1, "double_loot", 0), loot);
}

#[test]
fn freeze_ray_is_ignored_by_who_is_frozen_already() {
    let user = |player: Player| player.holds("freeze_ray", 1);
    let mut stage = Setup::classic()
        .player(1, user)
        .player(2, |player| player.at(8, 8).holds("freeze_ray", 1))
        .player(3, |player| player.at(8, 8))
        .begin();
    let first = [timed(3, EffectKind::Freeze, (8, 8), (0, 3_000))];
    assert_eq!(stage.uses(0, 1, "freeze_ray", 3), first);
    let second = [impact(3, EffectKind::Freeze, ImpactResult::Ignored, (8, 8))];
    assert_eq!(stage.uses(2_999, 2, "freeze_ray", 3), second);
    assert_eq!(stage.slot(3, EffectKind::Freeze), Some((0, 3_000)));
}

#[test]
fn spyglass_shows_the_treasures_within_6_and_changes_nothing() {
    let mut stage = Setup::classic()
        .treasures(&[(16, 10, 30), (4, 4, 20), (3, 10, 90), (10, 17, 90)])
        .player(1, |player| {
            player
                .at(10, 10)
                .holds("spyglass", 1)
                .under(EffectKind::Loot, 200, 9)
        })
        .begin();
    let outcome = stage.applied(0, 1, using("spyglass", 0));
    let shown = [
        Treasure {
            x: 4,
            y: 4,
            value: 20,
        },
        Treasure {
            x: 16,
            y: 10,
            value: 30,
        },
    ];
    assert_eq!(outcome.treasures, shown);
    let reveal = impact(1, EffectKind::Reveal, ImpactResult::Applied, (10, 10));
    assert_eq!(outcome.impacts, [reveal]);
    assert_eq!(
        (stage.hunt.snapshot().treasures.len(), stage.player(1).score),
        (4, 0)
    );
}

#[test]
fn spyglass_shows_the_first_64() {
    let everywhere: Vec<_> = (0..13)
        .flat_map(|y| (0..13).map(move |x| (x, y, 10)))
        .collect();
    let user = |player: Player| player.at(6, 6).holds("spyglass", 1);
    let mut stage = Setup::classic()
        .treasures(&everywhere)
        .player(1, user)
        .begin();
    let shown = stage.applied(0, 1, using("spyglass", 0)).treasures;
    assert_eq!(
        (shown.len(), shown[63]),
        (
            64,
            Treasure {
                x: 11,
                y: 4,
                value: 10
            }
        )
    );
}

#[test]
fn pickpocket_moves_a_fifth_rounded_down_and_tells_both_sides() {
    let mut stage = Setup::classic()
        .player(1, |player| player.at(1, 1).score(5).holds("pickpocket", 1))
        .player(2, |player| player.at(3, 3).score(99))
        .begin();
    let steal = |player, place, score_change| Impact {
        score_change,
        ..impact(player, EffectKind::Steal, ImpactResult::Applied, place)
    };
    let expected = [steal(2, (3, 3), -19), steal(1, (1, 1), 19)];
    assert_eq!(stage.uses(0, 1, "pickpocket", 2), expected);
    assert_eq!((stage.player(1).score, stage.player(2).score), (24, 80));
}

#[test]
fn stealing_nothing_and_stealing_from_the_richest_are_both_exact() {
    let most = 1 << 53;
    for (score, moved) in [(4, 0), (0, 0), (most, most / 5)] {
        let mut stage = Setup::classic()
            .player(1, |player| player.holds("pickpocket", 1))
            .player(2, |player| player.score(score))
            .begin();
        let changes: Vec<_> = stage
            .uses(0, 1, "pickpocket", 2)
            .iter()
            .map(|impact| impact.score_change)
            .collect();
        assert_eq!(changes, [-(moved as i64), moved as i64]);
    }
}

#[test]
fn switcheroo_exchanges_the_places_and_tells_both_sides() {
    let mut stage = Setup::classic()
        .player(1, |player| player.at(1, 2).holds("switcheroo", 1))
        .player(2, |player| player.at(11, 12))
        .begin();
    let swap = |player, place| impact(player, EffectKind::Swap, ImpactResult::Applied, place);
    assert_eq!(
        stage.uses(0, 1, "switcheroo", 2),
        [swap(2, (1, 2)), swap(1, (11, 12))]
    );
}

#[test]
fn blink_draws_a_new_place() {
    let mut stage = Setup::classic()
        .player(1, |player| player.holds("blink", 1))
        .begin();
    let before = stage.hunt.snapshot().random_state;
    let outcome = stage.applied(0, 1, using("blink", 0));
    let summary = outcome.player.expect("known");
    let place = (summary.x, summary.y);
    let expected = [impact(
        1,
        EffectKind::Teleport,
        ImpactResult::Applied,
        place,
    )];
    assert_eq!(outcome.impacts, expected);
    let draws = stage.hunt.snapshot().random_state.wrapping_sub(before);
    assert_eq!(
        draws,
        0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(2),
        "two draws"
    );
}

#[test]
fn antidote_thaws_and_can_be_used_while_frozen() {
    let user = |player: Player| {
        player
            .holds("antidote", 2)
            .under(EffectKind::Freeze, 0, 9_000)
    };
    let mut stage = Setup::classic().player(1, user).begin();
    let expected = [impact(
        1,
        EffectKind::Cleanse,
        ImpactResult::Applied,
        (0, 0),
    )];
    assert_eq!(stage.uses(0, 1, "antidote", 0), expected);
    assert_eq!(stage.slot(1, EffectKind::Freeze), None);
    assert_eq!(
        stage.uses(0, 1, "antidote", 0),
        expected,
        "whatever it found"
    );
}

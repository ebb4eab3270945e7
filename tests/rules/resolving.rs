//! "Resolving one effect of A on T".

use player_state::engine::{EffectKind, Impact, ImpactResult};

use crate::stage::{Player, Setup, impact};

/// A use of freeze_ray by 1 on 2, who stand at (1, 1) and (2, 2).
fn ray(
    user: fn(Player) -> Player,
    target: fn(Player) -> Player,
) -> (Vec<Impact>, crate::stage::Stage) {
    let mut stage = Setup::classic()
        .player(1, |player| user(player.at(1, 1).holds("freeze_ray", 1)))
        .player(2, |player| target(player.at(2, 2)))
        .begin();
    (stage.uses(100, 1, "freeze_ray", 2), stage)
}

fn plain(player: Player) -> Player {
    player
}

fn shielded(player: Player) -> Player {
    player.under(EffectKind::Shield, 2, 5_000)
}

fn mirrored(player: Player) -> Player {
    player.under(EffectKind::Reflect, 0, 5_000)
}

const FREEZE: EffectKind = EffectKind::Freeze;

#[test]
fn a_shield_blocks_for_one_charge() {
    let (impacts, stage) = ray(plain, shielded);
    assert_eq!(impacts, [impact(2, FREEZE, ImpactResult::Blocked, (2, 2))]);
    assert_eq!(stage.slot(2, EffectKind::Shield), Some((1, 5_000)));
    assert_eq!(stage.slot(2, FREEZE), None);
}

#[test]
fn a_shield_that_ran_out_blocks_nothing() {
    let (impacts, stage) = ray(plain, |player| player.under(EffectKind::Shield, 2, 100));
    assert_eq!(impacts[0].result, ImpactResult::Applied);
    assert_eq!(stage.slot(2, EffectKind::Shield), Some((2, 100)));
}

#[test]
fn a_mirror_turns_the_effect_on_its_author_and_is_spent() {
    let (impacts, stage) = ray(plain, mirrored);
    let expected = Impact {
        until_ms: 3_100,
        ..impact(1, FREEZE, ImpactResult::Reflected, (1, 1))
    };
    assert_eq!(impacts, [expected]);
    assert_eq!(stage.slot(2, EffectKind::Reflect), None);
    assert_eq!(
        (stage.slot(1, FREEZE), stage.slot(2, FREEZE)),
        (Some((0, 3_100)), None)
    );
}

#[test]
fn a_mirror_goes_before_the_shield_of_the_same_player() {
    let (impacts, stage) = ray(plain, |player| shielded(mirrored(player)));
    assert_eq!(impacts[0].result, ImpactResult::Reflected);
    assert_eq!(stage.slot(2, EffectKind::Shield), Some((2, 5_000)));
}

#[test]
fn the_authors_shield_blocks_what_comes_back() {
    let (impacts, stage) = ray(shielded, mirrored);
    assert_eq!(impacts, [impact(1, FREEZE, ImpactResult::Blocked, (1, 1))]);
    assert_eq!(stage.slot(1, EffectKind::Shield), Some((1, 5_000)));
    assert_eq!(stage.slot(2, EffectKind::Reflect), None);
}

#[test]
fn an_effect_is_never_turned_twice() {
    let (impacts, stage) = ray(mirrored, mirrored);
    assert_eq!(impacts[0].result, ImpactResult::Reflected);
    assert_eq!(impacts[0].player.get(), 1);
    assert_eq!(stage.slot(1, EffectKind::Reflect), Some((0, 5_000)));
}

#[test]
fn a_mirror_is_spent_also_where_the_effect_is_then_ignored() {
    let mut stage = Setup::classic()
        .player(1, |player| player.holds("antidote", 1).holds("blizzard", 1))
        .player(2, |player| mirrored(player.at(1, 0)))
        .player(3, |player| mirrored(player.at(2, 0)))
        .begin();
    let results: Vec<_> = stage
        .uses(0, 1, "blizzard", 0)
        .iter()
        .map(|impact| (impact.player.get(), impact.result))
        .collect();
    assert_eq!(
        results,
        [(1, ImpactResult::Reflected), (1, ImpactResult::Ignored)]
    );
    assert_eq!(
        (
            stage.slot(2, EffectKind::Reflect),
            stage.slot(3, EffectKind::Reflect)
        ),
        (None, None)
    );
}

#[test]
fn a_reflected_theft_is_the_targets_gain() {
    let mut stage = Setup::classic()
        .player(1, |player| player.score(100).holds("pickpocket", 1))
        .player(2, |player| mirrored(player.at(1, 0).score(50)))
        .begin();
    let steal = |player, place, score_change| Impact {
        score_change,
        ..impact(player, EffectKind::Steal, ImpactResult::Reflected, place)
    };
    assert_eq!(
        stage.uses(0, 1, "pickpocket", 2),
        [steal(1, (0, 0), -20), steal(2, (1, 0), 20)]
    );
    assert_eq!((stage.player(1).score, stage.player(2).score), (80, 70));
}

#[test]
fn a_blocked_theft_or_swap_is_one_impact() {
    for (power_up, effect) in [
        ("pickpocket", EffectKind::Steal),
        ("switcheroo", EffectKind::Swap),
    ] {
        let mut stage = Setup::classic()
            .player(1, |player| player.holds(power_up, 1))
            .player(2, |player| {
                player
                    .at(1, 0)
                    .score(50)
                    .under(EffectKind::Shield, 1, 5_000)
            })
            .begin();
        let blocked = [impact(2, effect, ImpactResult::Blocked, (1, 0))];
        assert_eq!(stage.uses(0, 1, power_up, 2), blocked);
        assert_eq!(
            stage.slot(2, EffectKind::Shield),
            None,
            "the last charge ends it"
        );
    }
}

#[test]
fn mirrors_and_shields_let_what_is_not_hostile_pass() {
    let rules = r#"
        [[power_up]]
        name = "gift"
        weight = 1
        target = "player"
        effects = [{ kind = "speed", magnitude = 2, duration_ms = 9, stacking = "refresh" }]
    "#;
    let mut stage = Setup::of_rules(rules)
        .player(1, |player| player.holds("gift", 1))
        .player(2, |player| shielded(mirrored(player)))
        .begin();
    assert_eq!(stage.uses(0, 1, "gift", 2)[0].player.get(), 2);
    assert_eq!(stage.slot(2, EffectKind::Shield), Some((2, 5_000)));
    assert_eq!(stage.slot(2, EffectKind::Reflect), Some((0, 5_000)));
}

/// Two effects on an area: the first on every target, then the second on every target, and each asks anew
/// what its target has.
#[test]
fn effects_resolve_one_after_the_other_over_targets_that_were_fixed_before() {
    let rules = r#"
        [[power_up]]
        name = "storm"
        weight = 1
        target = "area"
        radius = 2
        effects = [
            { kind = "swap" },
            { kind = "freeze", magnitude = 7, duration_ms = 1000, stacking = "ignore" },
        ]
    "#;
    let mut stage = Setup::of_rules(rules)
        .player(1, |player| player.at(10, 10).holds("storm", 1))
        .player(2, |player| player.at(12, 12))
        .player(3, |player| {
            player.at(8, 8).under(EffectKind::Shield, 1, 5_000)
        })
        .player(4, |player| player.at(14, 14))
        .begin();
    let freeze = |player, place| Impact {
        magnitude: 7,
        until_ms: 1_000,
        ..impact(player, FREEZE, ImpactResult::Applied, place)
    };
    let swap = |player, result, place| impact(player, EffectKind::Swap, result, place);
    let expected = [
        swap(2, ImpactResult::Applied, (10, 10)),
        swap(1, ImpactResult::Applied, (12, 12)),
        swap(3, ImpactResult::Blocked, (8, 8)),
        freeze(2, (10, 10)),
        freeze(3, (8, 8)),
    ];
    assert_eq!(stage.uses(0, 1, "storm", 0), expected);
}

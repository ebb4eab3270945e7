//! "What is always true", on generated hunts.

use std::{collections::BTreeSet, sync::Arc};

use player_state::engine::{
    Hunt, Outcome, PlayerSnapshot, RawAction, RawCommand, Ruleset, Settings, Snapshot, Verdict,
};
use proptest::{collection::vec, prelude::*};

use crate::stage::{START_MS, command, hunt_id, player_id};

/// What a player tries next. Places are told relative to where the player is.
#[derive(Clone, Debug)]
pub(crate) enum Try {
    Join,
    Leave,
    Step {
        dx: i8,
        dy: i8,
    },
    Dig,
    PickUp,
    /// The first power-up held at or after this one.
    Use {
        from: usize,
        target: u64,
    },
    /// Anything, under the request id of one's last command.
    Repeat,
}

/// One command, some time after the one before.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    after_ms: u32,
    player: u64,
    tries: Try,
}

/// A command as it was asked, with its answer and the digest after it.
pub(crate) struct Asked {
    pub(crate) at_ms: i64,
    pub(crate) command: RawCommand<'static>,
    outcome: Outcome,
    pub(crate) digest: u64,
}

/// A hunt that was played, and everything that was asked in it.
pub(crate) struct Played {
    pub(crate) begun: Snapshot,
    pub(crate) hunt: Hunt,
    pub(crate) asked: Vec<Asked>,
    ruleset: Arc<Ruleset>,
}

fn tries() -> impl Strategy<Value = Try> {
    prop_oneof![
        3 => Just(Try::Join),
        1 => Just(Try::Leave),
        10 => (-2i8..=2, -2i8..=2).prop_map(|(dx, dy)| Try::Step { dx, dy }),
        8 => Just(Try::Dig),
        8 => Just(Try::PickUp),
        16 => (0usize..13, 0u64..6).prop_map(|(from, target)| Try::Use { from, target }),
        1 => Just(Try::Repeat),
    ]
}

/// Players 1 to 5 on a small, full map: they meet, and everything runs out.
pub(crate) fn hunts() -> impl Strategy<Value = (u64, Vec<Step>)> {
    let after_ms = prop_oneof![20 => 0u32..60, 3 => 300u32..3_000, 2 => Just(5_000)];
    let step = (after_ms, 1u64..=5, tries()).prop_map(|(after_ms, player, tries)| Step {
        after_ms,
        player,
        tries,
    });
    (any::<u64>(), vec(step, 1..400))
}

fn settings(seed: u64) -> Settings {
    Settings {
        seed,
        width: 7,
        height: 6,
        treasures: 21,
        caches: 21,
        max_players: 4,
        duration_ms: 10_000_000,
        ruleset: String::new(),
    }
}

pub(crate) fn play(seed: u64, steps: &[Step]) -> Played {
    let ruleset = Arc::new(Ruleset::classic());
    let created = Hunt::create(hunt_id(), settings(seed), ruleset.clone(), 1, START_MS);
    let mut begun = created.expect("valid settings").snapshot();
    if seed % 2 == 1 {
        stock(&mut begun);
    }
    let mut hunt = Hunt::restore(&begun, ruleset.clone()).expect("our own");
    let mut at_ms = START_MS;
    let mut asked: Vec<Asked> = Vec::new();
    for (request, step) in (1..).zip(steps) {
        at_ms += i64::from(step.after_ms);
        let last = asked
            .iter()
            .rev()
            .find(|asked| asked.command.player_id == step.player);
        let action = action(step, &hunt, &ruleset);
        let request = match (&step.tries, last) {
            (Try::Repeat, Some(last)) => last.command.request_id,
            _ => request,
        };
        let command = command(step.player, request, action);
        let outcome = ask(&mut hunt, at_ms, command);
        let digest = hunt.digest();
        asked.push(Asked {
            at_ms,
            command,
            outcome,
            digest,
        });
    }
    Played {
        begun,
        hunt,
        asked,
        ruleset,
    }
}

/// Half of the hunts begin with four players who hold two of everything: a fight from the first moment.
fn stock(begun: &mut Snapshot) {
    let player = |id: u32| PlayerSnapshot {
        player: player_id(id.into()),
        present: true,
        x: id,
        y: id,
        score: 0,
        version: 0,
        inventory: vec![2; 13],
        effects: Vec::new(),
        cooldown_until_ms: 0,
        remembered: Vec::new(),
    };
    begun.players = (1..=4).map(player).collect();
}

fn items(snapshot: &Snapshot) -> u32 {
    snapshot
        .players
        .iter()
        .flat_map(|player| &player.inventory)
        .sum()
}

fn ask(hunt: &mut Hunt, at_ms: i64, raw: RawCommand<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let command = raw.check().expect("well-formed");
    let _ = hunt
        .apply(at_ms, &command, &mut outcome)
        .expect("time does not fall");
    outcome
}

fn action(step: &Step, hunt: &Hunt, ruleset: &Ruleset) -> RawAction<'static> {
    let players = hunt.snapshot().players;
    let me = players
        .iter()
        .find(|player| player.player.get() == step.player);
    match step.tries {
        Try::Join | Try::Repeat => RawAction::Join,
        Try::Leave => RawAction::Leave,
        Try::Dig => RawAction::Dig,
        Try::PickUp => RawAction::PickUp,
        Try::Step { dx, dy } => {
            let (x, y) = me.map_or((0, 0), |me| (me.x, me.y));
            RawAction::Move {
                x: x.wrapping_add_signed(dx.into()),
                y: y.wrapping_add_signed(dy.into()),
            }
        }
        Try::Use { from, target } => {
            let count = |index: usize| me.map_or(0, |me| me.inventory[index]);
            let index = (from..from + 13)
                .map(|index| index % 13)
                .find(|index| count(*index) > 0);
            let name = ruleset
                .names()
                .nth(index.unwrap_or(from))
                .expect("13 power-ups");
            // Most power-ups take no target: name one only where it can be right.
            let target = match &**name {
                "freeze_ray" | "pickpocket" | "switcheroo" => target,
                _ => target / 5,
            };
            RawAction::UsePowerUp {
                power_up: String::leak(name.to_string()),
                target,
            }
        }
    }
}

impl Played {
    fn applied(&self) -> impl Iterator<Item = &Asked> {
        self.asked
            .iter()
            .filter(|asked| matches!(asked.outcome.verdict, Verdict::Applied { .. }))
    }

    fn dug(&self) -> impl Iterator<Item = &player_state::engine::Treasure> {
        let digs = self
            .applied()
            .filter(|asked| matches!(asked.command.action, Some(RawAction::Dig)));
        digs.flat_map(|asked| &asked.outcome.treasures)
    }
}

/// Plays the applied commands again, from a hunt as it was at some sequence.
fn replay(hunt: &mut Hunt, played: &Played) {
    let from = hunt.sequence();
    for asked in played.applied() {
        let Verdict::Applied { sequence, .. } = asked.outcome.verdict else {
            continue;
        };
        if sequence > from {
            assert_eq!(ask(hunt, asked.at_ms, asked.command), asked.outcome);
            assert_eq!(hunt.digest(), asked.digest, "at sequence {sequence}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn scores_add_up_to_the_worth_of_what_was_dug((seed, steps) in hunts()) {
        let played = play(seed, &steps);
        let worth: u64 = played.dug().map(|treasure| u64::from(treasure.value)).sum();
        let scores: u64 = played.hunt.snapshot().players.iter().map(|player| player.score).sum();
        prop_assert_eq!(scores, worth);
    }

    #[test]
    fn treasures_and_caches_are_taken_once_and_items_spent_once((seed, steps) in hunts()) {
        let played = play(seed, &steps);
        let end = played.hunt.snapshot();
        let dug: Vec<_> = played.dug().map(|treasure| (treasure.x, treasure.y)).collect();
        prop_assert_eq!(dug.iter().collect::<BTreeSet<_>>().len(), dug.len());
        prop_assert_eq!(end.treasures.len() + dug.len(), played.begun.treasures.len());

        let picked_up = played.applied().filter(|asked| asked.outcome.picked_up.is_some()).count();
        prop_assert_eq!(end.caches.len() + picked_up, played.begun.caches.len());
        let is_use = |asked: &&Asked| matches!(asked.command.action, Some(RawAction::UsePowerUp { .. }));
        let used = played.applied().filter(is_use).count();
        let (before, after) = (items(&played.begun) as usize, items(&end) as usize);
        prop_assert_eq!(after + used, before + picked_up);
    }

    #[test]
    fn sequences_rise_by_one_and_what_is_not_applied_leaves_no_trace((seed, steps) in hunts()) {
        let played = play(seed, &steps);
        let mut sequence = 1;
        let mut digest = None;
        for asked in &played.asked {
            match asked.outcome.verdict {
                Verdict::Applied { sequence: next, .. } => {
                    prop_assert_eq!(next, sequence + 1);
                    sequence = next;
                }
                Verdict::Duplicate { .. }
                | Verdict::Rejected(_)
                | Verdict::Refused(_)
                | Verdict::Expired => {
                    prop_assert!(digest.is_none_or(|before| before == asked.digest));
                }
            }
            digest = Some(asked.digest);
        }
        prop_assert_eq!(played.hunt.sequence(), sequence);
    }

    #[test]
    fn a_replay_from_1_and_from_any_snapshot_has_the_same_digest_at_every_sequence(
        (seed, steps) in hunts(),
        cut in any::<prop::sample::Index>(),
    ) {
        let played = play(seed, &steps);
        let mut from_1 = Hunt::restore(&played.begun, played.ruleset.clone()).expect("our own");
        replay(&mut from_1, &played);

        let half = play(seed, &steps[..cut.index(steps.len() + 1)]);
        let mut from_there = Hunt::restore(&half.hunt.snapshot(), played.ruleset.clone()).expect("our own");
        replay(&mut from_there, &played);
        prop_assert_eq!(from_there.snapshot(), played.hunt.snapshot());
    }

    #[test]
    fn a_remembered_request_changes_nothing_whoever_asks_again((seed, steps) in hunts()) {
        let mut played = play(seed, &steps);
        let end = played.hunt.snapshot();
        let at_ms = end.last_at_ms;
        for player in &end.players {
            for entry in &player.remembered {
                let again = command(player.player.get(), entry.request_id, RawAction::Dig);
                let verdict = ask(&mut played.hunt, at_ms, again).verdict;
                prop_assert_eq!(verdict, Verdict::Duplicate { sequence: entry.sequence });
            }
        }
        prop_assert_eq!(played.hunt.snapshot(), end);
    }
}

/// The properties above say nothing of what generated hunts never meet.
#[test]
fn generated_hunts_meet_every_effect_and_result() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut met = BTreeSet::new();
    for _ in 0..150 {
        let (seed, steps) = hunts().new_tree(&mut runner).expect("a hunt").current();
        for asked in play(seed, &steps).applied() {
            met.extend(
                asked
                    .outcome
                    .impacts
                    .iter()
                    .map(|impact| (impact.effect, impact.result as u8)),
            );
        }
    }
    let effects: BTreeSet<_> = met.iter().map(|(effect, _)| *effect).collect();
    let results: BTreeSet<_> = met.iter().map(|(_, result)| *result).collect();
    assert_eq!((effects.len(), results.len()), (12, 4), "{met:?}");
}

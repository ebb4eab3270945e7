//! What the commands' way reads and writes by hand is what prost reads and writes.

use player_state::{
    engine::{
        EffectKind, Impact, ImpactResult, Outcome, PlayerId, PlayerSummary, Refusal, Rejection,
        Treasure, Verdict,
    },
    pb::{self, command::Action},
    wire::{self, AppliedRecord, Commands, Encoded},
};
use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Join(pb::Join {})),
        Just(Action::Leave(pb::Leave {})),
        (any::<u32>(), any::<u32>()).prop_map(|(x, y)| Action::Move(pb::Move { x, y })),
        Just(Action::Dig(pb::Dig {})),
        Just(Action::PickUp(pb::PickUp {})),
        ("[a-zé]{0,16}", number()).prop_map(|(power_up, target_player_id)| {
            Action::UsePowerUp(pb::UsePowerUp {
                power_up,
                target_player_id,
            })
        }),
    ]
}

/// Small ones, large ones and 0.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1_u64..300, any::<u64>()]
}

prop_compose! {
    fn command()(
        hunt_id in ".{0,70}",
        player_id in number(),
        request_id in number(),
        expected_version in number(),
        budget_ms in number(),
        epoch in number(),
        action in option::of(action()),
    ) -> pb::Command {
        pb::Command {
            hunt_id,
            player_id,
            request_id,
            expected_version: expected_version as u32,
            budget_ms: budget_ms as u32,
            epoch,
            action,
        }
    }
}

/// All of what was read, one line a command.
fn shown(commands: &Commands<'_>) -> Vec<String> {
    commands.iter().map(|sent| format!("{sent:?}")).collect()
}

fn shown_by_prost(commands: Vec<pb::Command>) -> Vec<String> {
    shown(&Commands::Copied(commands))
}

/// A change of a message: what a broken or a newer client might send.
#[derive(Clone, Debug)]
enum Change {
    Flip { at: prop::sample::Index, bit: u8 },
    Cut { at: prop::sample::Index },
    Insert { at: prop::sample::Index, byte: u8 },
    Repeat { from: prop::sample::Index },
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        at().prop_map(|at| Change::Cut { at }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Insert { at, byte }),
        at().prop_map(|from| Change::Repeat { from }),
    ]
}

impl Change {
    fn make(&self, message: &mut Vec<u8>) {
        if message.is_empty() {
            return;
        }
        match self {
            Self::Flip { at, bit } => {
                let at = at.index(message.len());
                message[at] ^= 1 << bit;
            }
            Self::Cut { at } => message.truncate(at.index(message.len())),
            Self::Insert { at, byte } => message.insert(at.index(message.len()), *byte),
            Self::Repeat { from } => message.extend_from_within(from.index(message.len())..),
        }
    }
}

fn same_as_prost(message: Vec<u8>) {
    let request = Encoded(message.into());
    let batch = pb::ApplyBatchRequest::decode(&*request.0);
    match (Commands::of_batch(&request), batch) {
        (Ok(ours), Ok(theirs)) => assert_eq!(shown(&ours), shown_by_prost(theirs.commands)),
        (Err(ours), Err(theirs)) => assert_eq!(ours, theirs),
        (ours, theirs) => panic!("{:?} and {theirs:?}", ours.map(|ours| shown(&ours))),
    }
    let one = pb::ApplyRequest::decode(&*request.0);
    match (Commands::of_one(&request), one) {
        (Ok(ours), Ok(theirs)) => {
            let command = theirs.command.unwrap_or_default();
            assert_eq!(shown(&ours), shown_by_prost(vec![command]));
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours, theirs),
        (ours, theirs) => panic!("{:?} and {theirs:?}", ours.map(|ours| shown(&ours))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn commands_are_read_as_prost_reads_them(commands in vec(command(), 0..5)) {
        let message = pb::ApplyBatchRequest { commands }.encode_to_vec();
        let request = Encoded(message.clone().into());
        let read = Commands::of_batch(&request).expect("a batch");
        prop_assert!(matches!(read, Commands::InPlace(_)), "nothing unusual is in it");
        same_as_prost(message);
    }

    #[test]
    fn a_changed_message_is_read_or_refused_as_prost_does(
        commands in vec(command(), 0..4),
        changes in vec(change(), 1..4),
    ) {
        let mut message = pb::ApplyBatchRequest { commands }.encode_to_vec();
        for change in &changes {
            change.make(&mut message);
        }
        same_as_prost(message);
    }

    #[test]
    fn any_bytes_are_read_or_refused_as_prost_does(message in vec(any::<u8>(), 0..64)) {
        same_as_prost(message);
    }

    #[test]
    fn a_command_is_written_as_prost_writes_it(command in command()) {
        let mut bytes = Vec::new();
        wire::put_command(&mut bytes, &wire::raw_command(&command));
        let kept = pb::Command { budget_ms: 0, epoch: 0, ..command };
        prop_assert_eq!(bytes, kept.encode_to_vec());
    }

    #[test]
    fn an_outcome_and_its_record_are_written_as_prost_writes_them(
        (request_id, outcome) in (number(), outcome()),
        command in command(),
        (epoch, sequence, digest) in (number(), number(), number()),
        at_ms in any::<i64>(),
    ) {
        let mut bytes = Vec::new();
        wire::put_outcome(&mut bytes, request_id, &outcome);
        let theirs = pb::Outcome { epoch, sequence, ..wire::outcome(request_id, &outcome) };
        let mut ours = pb::Outcome::decode(&*bytes).expect("an outcome");
        prop_assert_eq!(&bytes, &wire::outcome(request_id, &outcome).encode_to_vec());

        (ours.epoch, ours.sequence) = (epoch, sequence);
        let mut encoded = Vec::new();
        wire::put_command(&mut encoded, &wire::raw_command(&command));
        let mut record = Vec::new();
        AppliedRecord {
            hunt_id: &command.hunt_id,
            epoch,
            sequence,
            at_ms,
            command: &encoded,
            outcome: &ours.encode_to_vec(),
            digest,
        }
        .put(&mut record);
        let theirs = wire::applied_record(command, theirs, at_ms, digest);
        prop_assert_eq!(record, theirs.encode_to_vec());
    }
}

/// More by WIRE_CASES=1000000.
fn cases() -> u32 {
    let set = std::env::var("WIRE_CASES").ok();
    set.map_or(2_000, |cases| cases.parse().expect("a number of cases"))
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        (number(), number()).prop_map(|(epoch, sequence)| Verdict::Applied { epoch, sequence }),
        number().prop_map(|sequence| Verdict::Duplicate { sequence }),
        Just(Verdict::Rejected(Rejection::HuntFull)),
        Just(Verdict::Rejected(Rejection::VersionMismatch)),
        Just(Verdict::Refused(Refusal::UnknownHunt)),
        number().prop_map(|current| Verdict::Refused(Refusal::StaleEpoch { current })),
        Just(Verdict::Expired),
    ]
}

prop_compose! {
    fn summary()(x in any::<u16>(), y in any::<u16>(), score in number(), version in any::<u32>()) -> PlayerSummary {
        PlayerSummary { x, y, score, version }
    }
}

prop_compose! {
    fn impact()(
        player in 1..=u64::MAX,
        effect in prop::sample::select(vec![EffectKind::Shield, EffectKind::Cleanse]),
        result in prop::sample::select(vec![ImpactResult::Applied, ImpactResult::Ignored]),
        score_change in any::<i64>(),
        (x, y) in any::<(u16, u16)>(),
        magnitude in any::<u8>(),
        until_ms in any::<u32>(),
    ) -> Impact {
        Impact { player: PlayerId::new(player).expect("not 0"), effect, result, score_change, x, y, magnitude, until_ms }
    }
}

prop_compose! {
    fn treasure()(x in any::<u16>(), y in any::<u16>(), value in any::<u32>()) -> Treasure {
        Treasure { x, y, value }
    }
}

prop_compose! {
    fn outcome()(
        verdict in verdict(),
        player in option::of(summary()),
        impacts in vec(impact(), 0..20),
        treasures in vec(treasure(), 0..20),
        picked_up in option::of(".{0,32}"),
    ) -> Outcome {
        match verdict {
            // A refusal carries nothing but its reason.
            Verdict::Refused(_) => Outcome::bare(verdict),
            Verdict::Applied { .. } | Verdict::Duplicate { .. } | Verdict::Rejected(_) | Verdict::Expired => Outcome { verdict, player, impacts, treasures, picked_up: picked_up.map(Into::into) },
        }
    }
}

//! "Order of the checks".

use player_state::engine::{Outcome, RawAction, RawCommand, Refusal, Rejection, Verdict};

use crate::stage::{START_MS, Setup, command};

const JOIN: RawAction<'_> = RawAction::Join;
const DIG: RawAction<'_> = RawAction::Dig;

#[test]
fn of_several_reasons_the_first_in_order_is_told() {
    let mut stage = Setup::classic()
        .player(1, |player| player.absent().version(3))
        .begin();
    stage.applied(10, 1, JOIN);
    stage.applied(10, 1, RawAction::Leave);
    let all = RawCommand {
        epoch: 9,
        expected_version: 1,
        request_id: 1,
        ..command(1, 1, DIG)
    };

    let verdict = |stage: &mut crate::stage::Stage, raw| stage.ask(20, raw).0.verdict;
    assert_eq!(
        verdict(&mut stage, all),
        Verdict::Refused(Refusal::StaleEpoch { current: 1 })
    );
    let remembered = RawCommand { epoch: 1, ..all };
    assert_eq!(
        verdict(&mut stage, remembered),
        Verdict::Duplicate { sequence: 2 }
    );
    let not_there = RawCommand {
        request_id: 7,
        ..remembered
    };
    assert_eq!(
        verdict(&mut stage, not_there),
        Verdict::Rejected(Rejection::NotJoined)
    );
    let joins = RawCommand {
        action: Some(JOIN),
        ..not_there
    };
    assert_eq!(
        verdict(&mut stage, joins),
        Verdict::Rejected(Rejection::VersionMismatch)
    );
    let right_version = RawCommand {
        expected_version: 5,
        ..joins
    };
    assert_eq!(
        verdict(&mut stage, right_version),
        Verdict::Applied {
            epoch: 1,
            sequence: 4
        }
    );
    let nothing_here = RawCommand {
        expected_version: 6,
        request_id: 8,
        ..all
    };
    let nothing_here = RawCommand {
        epoch: 0,
        ..nothing_here
    };
    assert_eq!(
        verdict(&mut stage, nothing_here),
        Verdict::Rejected(Rejection::NothingHere)
    );
}

#[test]
fn a_repeated_request_id_changes_nothing_and_tells_where_it_was_applied() {
    let mut stage = Setup::classic().begin();
    let (first, _) = stage.ask(10, command(1, 5, JOIN));
    assert_eq!(
        first.verdict,
        Verdict::Applied {
            epoch: 1,
            sequence: 2
        }
    );
    let before = stage.hunt.snapshot();
    for action in [JOIN, DIG, RawAction::Leave] {
        let (again, _) = stage.ask(20, command(1, 5, action));
        let verdict = Verdict::Duplicate { sequence: 2 };
        assert_eq!(
            again,
            Outcome {
                player: first.player,
                ..Outcome::bare(verdict)
            }
        );
    }
    assert_eq!(stage.hunt.snapshot(), before);
}

#[test]
fn a_request_behind_the_window_is_too_old_and_one_within_it_is_taken() {
    let mut stage = Setup::classic().begin();
    for request in [10, 20, 30, 40] {
        stage.ask(0, command(1, request, JOIN));
    }
    let before = stage.hunt.snapshot();
    let (old, _) = stage.ask(0, command(1, 9, JOIN));
    assert_eq!(old, Outcome::bare(Verdict::Refused(Refusal::RequestTooOld)));
    assert_eq!(stage.hunt.snapshot(), before);
    let (just_within, _) = stage.ask(0, command(1, 11, DIG));
    assert_eq!(
        just_within.verdict,
        Verdict::Rejected(Rejection::NothingHere)
    );
    let (within, _) = stage.ask(0, command(1, 25, JOIN));
    assert_eq!(
        within.verdict,
        Verdict::Applied {
            epoch: 1,
            sequence: 6
        }
    );
    let remembered = stage.player(1).remembered;
    let ids: Vec<_> = remembered
        .iter()
        .map(|entry| (entry.request_id, entry.sequence))
        .collect();
    assert_eq!(ids, [(20, 3), (25, 6), (30, 4), (40, 5)]);
}

#[test]
fn a_rejected_request_is_not_remembered_and_can_be_asked_again() {
    let mut stage = Setup::classic()
        .treasures(&[(1, 0, 50)])
        .player(1, |player| player)
        .begin();
    let (no, _) = stage.ask(0, command(1, 5, DIG));
    assert_eq!(no.verdict, Verdict::Rejected(Rejection::NothingHere));
    stage.ask(0, command(1, 4, RawAction::Move { x: 1, y: 0 }));
    let (yes, _) = stage.ask(0, command(1, 5, DIG));
    assert_eq!(
        yes.verdict,
        Verdict::Applied {
            epoch: 1,
            sequence: 3
        }
    );
}

#[test]
fn a_player_not_known_is_at_version_0() {
    let mut stage = Setup::classic().begin();
    let (no, _) = stage.ask(
        0,
        RawCommand {
            expected_version: 1,
            ..command(1, 1, JOIN)
        },
    );
    assert_eq!(
        no,
        Outcome::bare(Verdict::Rejected(Rejection::VersionMismatch))
    );
    let (dig, _) = stage.ask(0, command(1, 1, DIG));
    assert_eq!(dig, Outcome::bare(Verdict::Rejected(Rejection::NotJoined)));
}

#[test]
fn the_last_version_takes_no_command() {
    let mut stage = Setup::classic()
        .player(1, |player| player.version(u32::MAX))
        .begin();
    for expected_version in [0, u32::MAX] {
        let (no, _) = stage.ask(
            0,
            RawCommand {
                expected_version,
                ..command(1, 1, JOIN)
            },
        );
        assert_eq!(no.verdict, Verdict::Rejected(Rejection::VersionMismatch));
    }
}

#[test]
fn only_what_is_applied_moves_sequence_version_and_time() {
    let mut stage = Setup::classic()
        .player(1, |player| player)
        .player(2, |player| player)
        .begin();
    stage.rejected(10, 1, DIG);
    assert_eq!(stage.hunt.last_at_ms(), START_MS);
    stage.applied(20, 1, RawAction::Move { x: 1, y: 1 });
    assert_eq!(
        (stage.hunt.sequence(), stage.hunt.last_at_ms()),
        (2, START_MS + 20)
    );
    assert_eq!((stage.player(1).version, stage.player(2).version), (1, 0));
}

#[test]
fn a_stamp_that_falls_is_refused_and_changes_nothing() {
    let mut stage = Setup::classic().player(1, |player| player).begin();
    stage.applied(50, 1, RawAction::Move { x: 1, y: 1 });
    let before = stage.hunt.snapshot();
    let command = command(1, 9, RawAction::Leave)
        .check()
        .expect("well-formed");
    let mut outcome = Outcome::default();
    let fell = stage
        .hunt
        .apply(START_MS + 49, &command, &mut outcome)
        .expect_err("refused");
    assert_eq!(
        (fell.at_ms, fell.last_at_ms),
        (START_MS + 49, START_MS + 50)
    );
    assert!(stage.hunt.end(START_MS + 49).is_err());
    assert_eq!(stage.hunt.snapshot(), before);
}

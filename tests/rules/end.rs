//! The end of a hunt.

use player_state::engine::{RawAction, Rejection, Standing, Verdict};

use crate::stage::{START_MS, Setup, command, player_id};

fn standing(player: u64, score: u64) -> Standing {
    Standing {
        player: player_id(player),
        score,
    }
}

#[test]
fn standings_go_by_score_then_id_and_count_who_left() {
    let mut stage = Setup::classic()
        .player(1, |player| player.score(10))
        .player(2, |player| player.score(30).absent())
        .player(3, |player| player.score(10))
        .begin();
    let ended = stage
        .hunt
        .end(START_MS + 5)
        .expect("time rises")
        .expect("the first end");
    assert_eq!(
        ended.standings,
        [standing(2, 30), standing(1, 10), standing(3, 10)]
    );
    assert_eq!(
        (ended.players, ended.sequence, ended.at_ms),
        (3, 2, START_MS + 5)
    );
    assert_eq!(ended.digest, stage.hunt.digest());
}

#[test]
fn an_end_is_recorded_once() {
    let mut stage = Setup::classic().begin();
    assert!(stage.hunt.end(START_MS + 5).expect("time rises").is_some());
    let before = stage.hunt.snapshot();
    assert_eq!(stage.hunt.end(START_MS + 9).expect("time rises"), None);
    assert_eq!(stage.hunt.snapshot(), before);
}

#[test]
fn an_end_called_after_the_full_time_is_stamped_with_it() {
    let mut stage = Setup::classic().begin();
    let ended = stage
        .hunt
        .end(START_MS + 100_999)
        .expect("time rises")
        .expect("the first end");
    assert_eq!(ended.at_ms, START_MS + 100_000);
    assert_eq!(stage.hunt.last_at_ms(), START_MS + 100_000);
}

#[test]
fn the_full_time_is_the_first_moment_that_takes_no_command() {
    let mut stage = Setup::classic().player(1, |player| player).begin();
    stage.applied(99_999, 1, RawAction::Join);
    let (no, ended) = stage.ask(100_000, command(1, 9, RawAction::Join));
    assert_eq!(no.verdict, Verdict::Rejected(Rejection::HuntEnded));
    assert_eq!(no.player.map(|player| player.version), Some(1));
    let ended = ended.expect("the end's record comes before the first HUNT_ENDED");
    assert_eq!((ended.sequence, ended.at_ms), (3, START_MS + 100_000));
    let (again, ended) = stage.ask(100_500, command(1, 9, RawAction::Join));
    assert_eq!(
        (again.verdict, ended),
        (Verdict::Rejected(Rejection::HuntEnded), None)
    );
}

#[test]
fn a_hunt_that_has_ended_answers_nobody_else() {
    let mut stage = Setup::classic().player(1, |player| player).begin();
    stage.applied(10, 1, RawAction::Join);
    let _ = stage.hunt.end(START_MS + 20).expect("time rises");
    for player in [1, 7] {
        assert_eq!(
            stage.rejected(20, player, RawAction::Join),
            Rejection::HuntEnded
        );
    }
    let (known, _) = stage.ask(20, command(1, 1, RawAction::Join));
    assert_eq!(known.verdict, Verdict::Duplicate { sequence: 2 });
}

#[test]
fn a_record_of_the_end_holds_the_best_hundred_of_all() {
    let mut setup = Setup::classic();
    setup.snapshot.settings.max_players = 150;
    for id in 1..=150 {
        setup = setup.player(id, |player| player.score(id % 120));
    }
    let ended = setup
        .begin()
        .hunt
        .end(START_MS)
        .expect("time rises")
        .expect("the first end");
    let mut expected: Vec<_> = (1..=150).map(|id| (id % 120, id)).collect();
    expected.sort_by_key(|(score, id)| (std::cmp::Reverse(*score), *id));
    let expected: Vec<_> = expected
        .iter()
        .take(100)
        .map(|(score, id)| standing(*id, *score))
        .collect();
    assert_eq!((ended.standings, ended.players), (expected, 150));
}

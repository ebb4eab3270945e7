//! Counts of what became of commands: gathered over a call, added once.

use prometheus::IntCounter;

use crate::{
    pb::{Outcome, Refusal, Verdict, refusal::Reason},
    telemetry::Metrics,
};

const VERDICTS: usize = Verdict::Unknown as usize + 1;
const REASONS: usize = Reason::Quarantined as usize + 1;

/// The counters, looked up once.
pub(super) struct Counters {
    verdicts: [IntCounter; VERDICTS],
    reasons: [IntCounter; REASONS],
}

impl Counters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let verdict = |n| label(Verdict::try_from(n).unwrap_or_default().as_str_name());
        let reason = |n| label(Reason::try_from(n).unwrap_or_default().as_str_name());
        Self {
            verdicts: std::array::from_fn(|n| {
                let label = verdict(n as i32);
                metrics
                    .player_state_commands_total
                    .with_label_values(&[&label])
            }),
            reasons: std::array::from_fn(|n| {
                let label = reason(n as i32);
                metrics
                    .player_state_refusals_total
                    .with_label_values(&[&label])
            }),
        }
    }

    /// Adds what one call came to.
    pub(super) fn add(&self, tally: &Tally) {
        for (counter, count) in self.verdicts.iter().zip(tally.verdicts) {
            add(counter, count);
        }
        for (counter, count) in self.reasons.iter().zip(tally.reasons) {
            add(counter, count);
        }
    }
}

/// What the commands of one call came to, counted.
#[derive(Default)]
pub(super) struct Tally {
    verdicts: [u64; VERDICTS],
    reasons: [u64; REASONS],
}

impl Tally {
    pub(super) fn count(&mut self, verdict: Verdict) {
        self.verdicts[verdict as usize] += 1;
    }

    pub(super) fn count_outcome(&mut self, outcome: &Outcome) {
        self.count(outcome.verdict());
        if let Some(refusal) = &outcome.refusal {
            self.reasons[Refusal::reason(refusal) as usize] += 1;
        }
    }
}

fn add(counter: &IntCounter, count: u64) {
    if count > 0 {
        counter.inc_by(count);
    }
}

/// `applied` of `VERDICT_APPLIED`.
fn label(name: &str) -> String {
    let (_, short) = name.split_once('_').unwrap_or_default();
    short.to_lowercase()
}

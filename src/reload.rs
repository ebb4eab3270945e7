//! The rulesets while the process runs: read again when their directory changes, on SIGHUP, and now and
//! then besides.
//!
//! A good directory takes the place of the last one as a whole, for the hunts created from then on; a hunt
//! keeps the ruleset it began with. A bad one changes nothing: the last good rulesets hold, and the log and
//! the metrics say so until it is good.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use notify::{
    Event, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, EventKind},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    engine::Fault,
    exit::Exit,
    shard::{Changes, Rulesets, RulesetsError, Shard},
};

/// Gathers the events of one change: an editor makes several. Further ones do not prolong it, so that a
/// directory that changes all the time is read too. (One sleep in place of a debouncer, whose thread would
/// wake many times a second for a directory that changes once a week.)
const SETTLE: Duration = Duration::from_millis(50);

/// How often the directory is looked at although nothing was heard of it: for file systems without events,
/// and for a directory that was replaced.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const HOLD: &str = "the rulesets cannot be reloaded: the last good ones hold";

/// What reloads: SIGHUP is its own from the moment it is made.
pub struct Reload {
    dir: Option<PathBuf>,
    hangup: Signal,
}

impl Reload {
    /// Of this directory, or of none.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub fn new(dir: Option<PathBuf>) -> Result<Self, Exit> {
        let hangup =
            signal(SignalKind::hangup()).map_err(|err| Exit::runtime(format!("signals: {err}")))?;
        Ok(Self { dir, hangup })
    }

    /// Keeps the shard's rulesets those of the directory, until it is dropped.
    pub async fn run(mut self, shard: Arc<Shard>) {
        show(&shard);
        let Some(dir) = self.dir else {
            loop {
                self.hangup.recv().await;
                tracing::info!("SIGHUP: nothing to reload, for --rules is not set");
            }
        };
        seen_good(&shard);
        let changed = Arc::new(Notify::new());
        let watch = watcher(&changed);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut directory = Directory {
            dir,
            watch,
            shard,
            problem: None,
        };
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                () = changed.notified() => {
                    sleep(SETTLE).await;
                    false
                }
                _ = looks.tick() => false,
            };
            directory.look(asked).await;
        }
    }
}

/// Without one, looking now and then has to do.
fn watcher(changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let heard = move |event: notify::Result<Event>| {
        // An error: events were lost, so perhaps ours.
        if event.map_or(true, |event| is_change(event.kind)) {
            changed.notify_one();
        }
    };
    notify::recommended_watcher(heard)
        .inspect_err(|err| tracing::warn!(%err, look_every = ?LOOK_EVERY, "no file events: rulesets are looked at now and then"))
        .ok()
}

/// Reading a file is an event too, our own reading among them.
fn is_change(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

/// Watches the directory that is at the path now; one that is missing, next time. Waits for the file system.
fn follow(watch: Option<&mut RecommendedWatcher>, dir: &Path) {
    if let Some(watch) = watch {
        let _ = watch.watch(dir, RecursiveMode::NonRecursive);
    }
}

/// A directory of rulesets, and what was wrong with it when it was last looked at.
struct Directory {
    dir: PathBuf,
    watch: Option<RecommendedWatcher>,
    shard: Arc<Shard>,
    problem: Option<String>,
}

impl Directory {
    /// Reads it, off this thread, which has connections to accept. `asked`: by an operator, who is answered.
    async fn look(&mut self, asked: bool) {
        let (dir, now) = (self.dir.clone(), self.shard.rulesets());
        let mut watch = self.watch.take(); // a panic loses it: then looking now and then has to do
        let read = tokio::task::spawn_blocking(move || {
            follow(watch.as_mut(), &dir);
            let later = now.load_again(&dir);
            let read = later.map(|later| (now.changes(&later), later));
            (watch, read)
        });
        match read.await {
            Ok((watch, read)) => {
                self.watch = watch;
                match read {
                    Ok((changes, later)) => self.good(&changes, later, asked),
                    Err(why) => self.bad(&why, asked),
                }
            }
            Err(panic) => {
                tracing::error!(%panic, "reading the rulesets panicked; the last good ones hold")
            }
        }
    }

    fn good(&mut self, changes: &Changes, later: Rulesets, asked: bool) {
        seen_good(&self.shard);
        if self.problem.take().is_some() {
            tracing::info!("the rulesets on disk are good again");
        }
        if !changes.is_empty() {
            self.shard.replace_rulesets(later);
            show(&self.shard);
            self.count("taken");
            tracing::info!(
                added = changes.added.join(", "),
                changed = changes.changed.join(", "),
                removed = changes.removed.join(", "),
                "rulesets reloaded: new hunts use them, running hunts keep theirs"
            );
        } else if asked {
            self.count("unchanged");
            tracing::info!("SIGHUP: the rulesets on disk are those in use");
        }
    }

    /// Tells of each problem once, and again to whoever asks.
    fn bad(&mut self, why: &RulesetsError, asked: bool) {
        let text = why.to_string();
        self.shard.metrics().player_state_rules_reload_failed.set(1);
        if !asked && self.problem.as_ref() == Some(&text) {
            return;
        }
        self.count("failed");
        match why {
            RulesetsError::Invalid(invalid) => {
                let (fault, faults) = (invalid.first(), invalid.faults.len());
                let Fault { line, key, problem } = fault;
                tracing::error!(file = invalid.file, line, key, problem, faults, "{HOLD}");
            }
            RulesetsError::Unreadable { .. }
            | RulesetsError::Name(_)
            | RulesetsError::TooMany(_) => {
                tracing::error!(problem = text, "{HOLD}");
            }
        }
        self.problem = Some(text);
    }

    fn count(&self, result: &str) {
        let reloads = &self.shard.metrics().player_state_rules_reloads_total;
        reloads.with_label_values(&[result]).inc();
    }
}

/// What is on disk is what is in use.
fn seen_good(shard: &Shard) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let metrics = shard.metrics();
    metrics.player_state_rules_reload_failed.set(0);
    metrics
        .player_state_rules_last_good_timestamp_seconds
        .set(now.map_or(0, |now| now.as_secs() as i64));
}

fn show(shard: &Shard) {
    let rulesets = shard.rulesets().names().count();
    shard.metrics().player_state_rulesets.set(rulesets as i64);
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn reading_the_directory_does_not_have_it_read_again() {
        for read in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Close(AccessMode::Read),
            AccessKind::Read,
        ] {
            assert!(!is_change(EventKind::Access(read)), "{read:?}");
        }
        for change in [
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            EventKind::Create(CreateKind::File),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Any,
        ] {
            assert!(is_change(change), "{change:?}");
        }
    }
}

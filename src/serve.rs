//! The life of the process: settings, locks, listeners, ready, a signal, draining, the end.
//!
//! The main thread keeps a small runtime for what must go on when calls do not: accepting, the admin
//! port, signals. Calls run on the threads of [`crate::edge`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    admin,
    config::{self, Settings},
    data_dir::{self, DataDir},
    edge::{self, Serving},
    exit::Exit,
    inspect,
    journal::{self, Journal as _, Ring, RingBounds, Store, StoreSettings, blocking},
    readiness::{Readiness, State},
    reload::Reload,
    rpc::{Routes, Services},
    shard::{Checkpoints, Identity, Limits, Progress, Recovered, Rulesets, Shard},
    telemetry::{Metrics, Telemetry},
};

/// How often a recovery that takes long says how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Serves until SIGTERM or SIGINT, then drains; a second signal ends it at once.
///
/// # Errors
/// 78 for settings that cannot be used, 75 where another process stands in the way, 1 for all else.
pub fn serve(settings: &Settings) -> Result<(), Exit> {
    let telemetry = Telemetry::start(settings)?;
    #[cfg(feature = "failpoints")]
    let _faults = fail::FailScenario::setup();
    let _data_dir = settings
        .data_dir
        .as_deref()
        .map(DataDir::hold)
        .transpose()?;
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let control =
        control.map_err(|err| Exit::runtime(format!("the runtime cannot be started: {err}")))?;
    let ended = control.block_on(live(settings));
    telemetry.end();
    // What still runs, on whatever thread, ends with the process and not before.
    control.shutdown_background();
    ended
}

async fn live(settings: &Settings) -> Result<(), Exit> {
    let mut signals = Signals::new()?;
    let metrics = Arc::new(Metrics::new());
    let reload = Reload::new(settings.rules.clone())?;
    let rulesets = rulesets(settings)?;
    let (health, health_service) = tonic_health::server::health_reporter();
    let readiness = Readiness::new(health, Arc::clone(&metrics));
    readiness.set(State::Starting).await;

    let bound = edge::bind(settings)?;
    let told = Arc::new(admin::Told {
        readiness,
        metrics: Arc::clone(&metrics),
        journal: admin::Journal::default(),
    });
    if let Some(addr) = settings.admin {
        let admin = admin::bind(addr).await?;
        let (connections_max, idle_max) = (settings.admin_connections_max, settings.admin_idle_max);
        tokio::spawn(admin.serve(Arc::clone(&told), connections_max, idle_max));
    }
    let mut kept = tokio::select! {
        kept = kept(settings, rulesets, &metrics, &told.readiness) => kept?,
        name = signals.next() => return Err(Exit::runtime(format!("{name} before the journal was recovered"))),
    };
    let on_disk = kept.on_disk.as_ref().map(|(store, _)| Arc::clone(store));
    told.journal.is(on_disk);
    let shard = Arc::clone(&kept.shard);
    let sweep = tokio::spawn(Arc::clone(&shard).sweep());
    let reload = tokio::spawn(reload.run(Arc::clone(&shard)));
    let cap = settings.message_bytes_max.0;
    let services = Services::new(Arc::clone(&shard));
    let routes = Routes::new(services, health_service, cap)
        .map_err(|err| Exit::runtime(format!("reflection: {err}")))?;
    let serving = bound.serve(routes, settings, &metrics)?;
    told.readiness.set(State::Ready).await;
    if settings.data_dir.is_none() {
        tracing::warn!(
            "there is no data_dir: hunts live in memory only, and end with this process"
        );
    }
    tracing::info!(build = crate::BUILD, durability = %settings.promise(), "ready");

    let name = tokio::select! {
        name = signals.next() => name,
        // At once, without a drain: nobody may be answered any more, and whoever is not asks again.
        why = shard.journal().failed() => return Err(Exit::runtime(format!("{why}; nothing was answered that is not kept: started again, the process recovers"))),
        // Without it no hunt would end by time, and nobody would be told: better to be started again.
        _ = sweep => return Err(Exit::runtime("the sweep, which ends hunts by time, panicked; the log says where")),
        () = kept.checkpoints_panicked() => return Err(Exit::runtime("the checkpoints, which keep snapshots of hunts, panicked; the log says where: started again, the process recovers")),
        _ = reload => return Err(Exit::runtime("the reload of rulesets panicked; the log says where")),
    };
    tracing::info!(signal = name, drain_max = ?settings.drain_max, "draining");
    told.readiness.set(State::Draining).await;
    shard.drain();
    serving.drain();
    told.readiness.end_watches().await;
    let until = Instant::now() + settings.drain_max;
    drain(&serving, settings.drain_max, &mut signals).await?;
    tokio::select! {
        // Beside this thread: what is kept last waits for tasks of this runtime.
        closed = blocking(move || kept.close(until)) => closed,
        name = signals.next() => Err(Exit::runtime(format!(
            "{name} while the last snapshots were kept: nothing is lost, and the next start plays more records"
        ))),
    }
}

/// The shard, and on disk what it is kept by.
struct Kept {
    shard: Arc<Shard>,
    on_disk: Option<(Arc<Store>, Checkpoints)>,
}

impl Kept {
    /// Completes if the thread that takes snapshots is no more: the journal would grow, and a restart take ever longer.
    async fn checkpoints_panicked(&mut self) {
        match &mut self.on_disk {
            Some((_, checkpoints)) => checkpoints.panicked().await,
            None => std::future::pending().await,
        }
    }

    /// Leaves as little as can be for the next start to play again.
    fn close(self, until: Instant) -> Result<(), Exit> {
        let Some((store, checkpoints)) = self.on_disk else {
            return Ok(());
        };
        checkpoints.finish(until);
        store.close();
        match store.failed().now_or_never() {
            Some(why) => Err(Exit::runtime(why)),
            None => Ok(()),
        }
    }
}

/// Opens the journal, recovers what it holds, and claims that where no router does.
async fn kept(
    settings: &Settings,
    rulesets: Rulesets,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
) -> Result<Kept, Exit> {
    let new = |journal| {
        let (limits, metrics) = (Limits::from(settings), Arc::clone(metrics));
        Shard::new(journal, rulesets, settings.claim, limits, metrics)
    };
    let Some(dir) = settings.data_dir.clone() else {
        return Ok(Kept {
            shard: Arc::new(new(Arc::new(ring(settings)?))),
            on_disk: None,
        });
    };
    let progress = Progress::default();
    readiness.set(State::Recovering(progress.clone())).await;
    let store_settings = store_settings(settings);
    let path = data_dir::journal(&dir);
    let opened = blocking(move || Store::open(&path, store_settings)).await;
    let (store, recovery) = opened.map_err(|why| inspect::unopened(&dir, &why))?;
    let store = Arc::new(store);
    let identity = Identity {
        incarnation: recovery.engine_incarnation,
        durability: settings.promise().word(),
    };
    let shard = Arc::new(new(Arc::<Store>::clone(&store)).known_as(identity));
    let recovering = Arc::clone(&shard);
    let told = tokio::spawn(tell(progress.clone()));
    let recovered = blocking(move || recovering.recover(recovery, &progress)).await;
    told.abort();
    let recovered = recovered.map_err(|why| inspect::damaged(&dir, &why))?;
    let Recovered {
        hunts,
        players,
        replayed,
        quarantined,
        torn_bytes,
        took,
    } = recovered;
    tracing::info!(
        hunts,
        players,
        replayed,
        quarantined,
        torn_bytes,
        ?took,
        "recovered"
    );
    let checkpoints = Checkpoints::start(&shard)
        .map_err(|err| Exit::runtime(format!("no thread for the checkpoints: {err}")))?;
    let claimed = tokio::select! {
        claimed = shard.claim_recovered() => claimed,
        why = store.failed() => return Err(Exit::runtime(why)),
    };
    if claimed > 0 {
        tracing::info!(claimed, "claimed what was recovered");
    }
    Ok(Kept {
        shard,
        on_disk: Some((store, checkpoints)),
    })
}

/// Says how far the recovery is, until it is stopped.
async fn tell(progress: Progress) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        tracing::info!(%progress, "recovering");
    }
}

/// Waits until all connections are closed: until `limit` at most, or a second signal.
async fn drain(serving: &Serving, limit: Duration, signals: &mut Signals) -> Result<(), Exit> {
    tokio::select! {
        () = serving.ended() => tracing::info!("drained"),
        () = tokio::time::sleep(limit) => {
            tracing::warn!(connections = serving.connections(), drain_max = ?limit, "calls that did not end are cut off");
        }
        name = signals.next() => {
            return Err(Exit::runtime(format!("{name} while draining: {} connections were cut off", serving.connections())));
        }
    }
    Ok(())
}

fn rulesets(settings: &Settings) -> Result<Rulesets, Exit> {
    let Some(dir) = &settings.rules else {
        return Ok(Rulesets::default());
    };
    Rulesets::load(dir).map_err(|err| Exit::settings(format!("rules: {err}")))
}

fn store_settings(settings: &Settings) -> StoreSettings {
    StoreSettings {
        durability: match settings.promise() {
            config::Durability::Sync => journal::Durability::Sync,
            config::Durability::Interval => journal::Durability::Interval,
            config::Durability::None => journal::Durability::None,
        },
        retain_age: settings.retain_age,
        retain_bytes: settings.retain_bytes.0 as u64,
        reserve_bytes: settings.reserve.0 as u64,
        gone_ids_max: settings.gone_ids_max,
    }
}

fn ring(settings: &Settings) -> Result<Ring, Exit> {
    let bounds = RingBounds {
        records_max: settings.feed_records_max,
        bytes_max: settings.feed_bytes_max.0,
    };
    Ring::new(bounds)
        .map_err(|err| Exit::settings(format!("feed_records_max, feed_bytes_max: {err}")))
}

/// The signals that end the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Exit> {
        let listen = |kind| signal(kind).map_err(|err| Exit::runtime(format!("signals: {err}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

//! The one list of metrics. A row makes the field of [`Metrics`], the line of `/metrics` and the line
//! of `docs/metrics.md`; whoever counts something adds its row here.
//!
//! No label ever holds the id of a hunt or a player, nor anything else that a caller chooses.

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

/// What is known of a metric besides its value.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub kind: &'static str,
    pub labels: &'static [&'static str],
    pub unit: &'static str,
    pub help: &'static str,
}

/// Bounds of the duration buckets, in seconds; 14.2 ms and 50 ms are figures that the shard is held to.
const DURATION_BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.014_2, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.0, 35.0,
];

trait Instrument: Collector + Clone + Sized + 'static {
    const KIND: &'static str;
    fn make(opts: Opts, labels: &[&str]) -> prometheus::Result<Self>;
}

impl Instrument for IntCounter {
    const KIND: &'static str = "counter";
    fn make(opts: Opts, _labels: &[&str]) -> prometheus::Result<Self> {
        Self::with_opts(opts)
    }
}

impl Instrument for IntCounterVec {
    const KIND: &'static str = "counter";
    fn make(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }
}

impl Instrument for IntGauge {
    const KIND: &'static str = "gauge";
    fn make(opts: Opts, _labels: &[&str]) -> prometheus::Result<Self> {
        Self::with_opts(opts)
    }
}

impl Instrument for IntGaugeVec {
    const KIND: &'static str = "gauge";
    fn make(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        Self::new(opts, labels)
    }
}

impl Instrument for HistogramVec {
    const KIND: &'static str = "histogram";
    fn make(opts: Opts, labels: &[&str]) -> prometheus::Result<Self> {
        let opts = HistogramOpts::from(opts).buckets(DURATION_BUCKETS.to_vec());
        Self::new(opts, labels)
    }
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty [$($label:literal),*] in $unit:literal;)+) => {
        /// Every instrument, by the name of its metric. Safe for concurrent use; none of them blocks.
        #[derive(Debug)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $name: $kind,)+
        }

        /// The list.
        pub static ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            kind: <$kind as Instrument>::KIND,
            labels: &[$($label),*],
            unit: $unit,
            help: concat!($($help),+),
        }),+];

        impl Metrics {
            fn registered(registry: Registry) -> prometheus::Result<Self> {
                $(let $name = {
                    let opts = Opts::new(stringify!($name), concat!($($help),+).trim());
                    let instrument = <$kind as Instrument>::make(opts, &[$($label),*])?;
                    registry.register(Box::new(instrument.clone()))?;
                    instrument
                };)+
                Ok(Self { registry, $($name),+ })
            }
        }
    };
}

metrics! {
    /// Calls, from their first header to the end of their answer. A caller who left counts as CANCELLED.
    rpc_server_call_duration_seconds: HistogramVec ["method", "code"] in "seconds";
    /// Calls that are being answered now, bounded by calls_in_flight_max.
    player_state_calls_in_flight: IntGauge [] in "calls";
    /// Calls refused before their handler: in_flight, connections, draining, deadline_missing, deadline_malformed, message_bytes, undecodable.
    player_state_calls_refused_total: IntCounterVec ["reason"] in "calls";
    /// Handlers that panicked; each failed its own call.
    player_state_panics_total: IntCounter [] in "panics";
    /// Connections that are being served now, bounded by connections_max.
    player_state_connections: IntGaugeVec ["transport"] in "connections";
    /// Connections over connections_max: refused (each call answered so) or closed unread.
    player_state_connections_refused_total: IntCounterVec ["how"] in "connections";
    /// Connections that did not speak HTTP/2 without TLS: http1, tls, silent, other.
    player_state_connections_foreign_total: IntCounterVec ["spoke"] in "connections";
    /// Errors of accept: descriptors (none left; accepting pauses) or other.
    player_state_accept_errors_total: IntCounterVec ["error"] in "errors";
    /// Commands by what became of them: applied, duplicate, rejected, refused, expired, unknown.
    player_state_commands_total: IntCounterVec ["verdict"] in "commands";
    /// Commands that were refused, by the reason that their outcomes give.
    player_state_refusals_total: IntCounterVec ["reason"] in "commands";
    /// Hunts held, bounded by hunts_max: active, ended (kept for reads), recovered (and not claimed since), quarantined. Looked at four times a second.
    player_state_hunts: IntGaugeVec ["state"] in "hunts";
    /// Hunts that recovery quarantined: mismatch (replayed to something else than recorded), hole (records missing), unreadable, panic.
    player_state_recovery_quarantined_total: IntCounterVec ["why"] in "hunts";
    /// Hunts in quarantine that were let go, because retention went past their records. Each is named in the log.
    player_state_quarantined_let_go_total: IntCounter [] in "hunts";
    /// Snapshots of hunts that were kept, so that a recovery begins there.
    player_state_snapshots_total: IntCounter [] in "snapshots";
    /// Players present in hunts that have not ended. Looked at four times a second.
    player_state_players: IntGauge [] in "players";
    /// Players held, bounded by players_max: all who ever joined a hunt that is held.
    player_state_players_held: IntGauge [] in "players";
    /// Records that the feed can still show.
    player_state_feed_records: IntGauge [] in "records";
    /// What they take: on disk, bounded by retain_bytes; without a data_dir in memory, bounded by feed_bytes_max.
    player_state_feed_bytes: IntGauge [] in "bytes";
    /// Records that the feed dropped to make room.
    player_state_feed_dropped_total: IntCounter [] in "records";
    /// Records that waited behind the last answer of ReadRecords.
    player_state_feed_behind_records: IntGauge [] in "records";
    /// Answers of ReadRecords that told a reader of a gap.
    player_state_feed_gaps_total: IntCounter [] in "answers";
    /// Reloads of the rulesets: taken, failed (each problem once) or, where SIGHUP asked, unchanged.
    player_state_rules_reloads_total: IntCounterVec ["result"] in "reloads";
    /// 1 while the rulesets on disk cannot be taken, and the last good ones hold.
    player_state_rules_reload_failed: IntGauge [] in "0 or 1";
    /// When the rulesets on disk were last good, in Unix time: how old a failure is. 0 without --rules.
    player_state_rules_last_good_timestamp_seconds: IntGauge [] in "seconds";
    /// Rulesets that new hunts may name.
    player_state_rulesets: IntGauge [] in "rulesets";
    /// 1 while /readyz says so.
    player_state_ready: IntGauge [] in "0 or 1";
    /// Always 1; the labels say what runs.
    player_state_build_info: IntGaugeVec ["build", "schema_sha256"] in "1";
}

impl Metrics {
    /// All of them at zero, with what the system says of the process beside them.
    ///
    /// # Panics
    /// If two rows have one name, or a name is no metric's: the list is wrong.
    pub fn new() -> Self {
        let registry = Registry::new();
        let process = registry.register(Box::new(ProcessCollector::for_self()));
        let metrics = process.and_then(|()| Self::registered(registry));
        let metrics = metrics.expect("the list of metrics");
        metrics
            .player_state_build_info
            .with_label_values(&[crate::BUILD, crate::pb::SCHEMA_SHA256])
            .set(1);
        metrics
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        encoded.expect("encoding into memory");
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The body of the table in `docs/metrics.md`.
pub fn markdown() -> String {
    let lines = ROWS.iter().map(|row| {
        format!(
            "| `{}` | {} | {} | {} | {} |\n",
            row.name,
            row.kind,
            row.labels.join(", "),
            row.unit,
            row.help.trim()
        )
    });
    let head =
        "| metric | kind | labels | unit | what it counts |\n|---|---|---|---|---|\n".to_owned();
    std::iter::once(head).chain(lines).collect()
}

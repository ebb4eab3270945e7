//! The one table of settings. A row makes the field of [`Settings`], the flag, the environment
//! variable, the file's key, the line of `config print` and the line of `docs/limits.md`.
//!
//! Every bound of the process is a row here; nothing else reads a flag, the environment or the file.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::value::{Bytes, Claim, Durability, Listen, LogFormat, LogLevel, Value};

/// What is known of a setting besides its value.
#[derive(Debug)]
pub struct Row {
    /// The key in the file; flag and environment variable follow from it.
    pub name: &'static str,
    /// What it does, in one or more sentences.
    pub help: &'static str,
    /// As one would type it; empty where there is none.
    pub default: &'static str,
    /// The least and the greatest value, where it is a quantity.
    pub bounds: Option<(&'static str, &'static str)>,
    /// What stands for the value in help.
    pub placeholder: &'static str,
    /// Several values, from a repeated flag, an array, or a text with commas.
    pub list: bool,
    /// Puts a value into its field, or says what was expected.
    pub(super) set: fn(&mut Settings, &[String]) -> Result<(), String>,
    /// The value as one would type it; nothing where it is unset.
    pub(super) get: fn(&Settings) -> Vec<String>,
}

impl Row {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable.
    pub fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.to_uppercase())
    }

    /// Whether it bounds something, and so belongs into the table of limits.
    pub fn is_limit(&self) -> bool {
        self.bounds.is_some()
    }
}

/// What every environment variable of ours begins with.
pub const ENV_PREFIX: &str = "PLAYERSTATE_";

fn bounded<T: Value + PartialOrd>(value: T, least: &str, greatest: &str) -> Result<T, String> {
    let bound = |text: &str| T::read(&[text.to_owned()]);
    if value < bound(least)? {
        return Err(format!("is below its least value, {least}"));
    }
    if value > bound(greatest)? {
        return Err(format!("is above its greatest value, {greatest}"));
    }
    Ok(value)
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $type:ty = $default:literal $(in $least:literal ..= $greatest:literal)?;)+) => {
        /// Every setting, with its value.
        #[derive(Debug, Clone)]
        pub struct Settings { $($(#[doc = $help])+ pub $name: $type,)+ }

        impl Settings {
            /// All defaults.
            pub fn defaults() -> Self {
                Self { $($name: Value::read(&texts($default)).expect(concat!("the default of ", stringify!($name))),)+ }
            }
        }

        /// The table, in the order of help.
        pub static ROWS: &[Row] = &[$(Row {
            name: stringify!($name),
            help: concat!($($help),+),
            default: $default,
            bounds: settings!(@bounds $($least, $greatest)?),
            placeholder: <$type as Value>::PLACEHOLDER,
            list: <$type as Value>::LIST,
            set: |settings, texts| {
                let value = <$type as Value>::read(texts)?;
                $(let value = bounded(value, $least, $greatest)?;)?
                settings.$name = value;
                Ok(())
            },
            get: |settings| settings.$name.write(),
        }),+];
    };
    (@bounds) => { None };
    (@bounds $least:literal, $greatest:literal) => { Some(($least, $greatest)) };
}

fn texts(default: &str) -> Vec<String> {
    match default {
        "" => Vec::new(),
        text => vec![text.to_owned()],
    }
}

settings! {
    /// Where gRPC is served; may be repeated. TCP on loopback only.
    listen: Vec<Listen> = "";
    /// Where /livez, /readyz, /metrics and /version are served over HTTP; nowhere if unset.
    admin: Option<SocketAddr> = "";
    /// Where the journal is kept: a directory that this process holds alone, by the lock of its owner.lock; made if it does not exist. Without one, hunts live in memory and end with the process.
    data_dir: Option<PathBuf> = "";
    /// What an answered change survives. `sync`: a crash of the process and a power cut. `interval`: a crash, and a power cut but for the last 5 ms. `none`: nothing is waited for; a crash takes what is not written yet, a power cut the last 100 ms. Unset, it is sync where there is a data_dir.
    durability: Option<Durability> = "";
    /// A directory of rulesets, NAME.toml each, beside the built-in `classic`; read again when it changes, and on SIGHUP.
    rules: Option<PathBuf> = "";
    /// Who says which hunts are owned: the router with its ledger, or this engine by itself.
    claim: Claim = "router";
    /// The least level that is logged.
    log_level: LogLevel = "info";
    /// The form of a log line, on standard error.
    log_format: LogFormat = "text";

    /// Threads that serve connections, each with a runtime of its own; 0 is one a core.
    workers: usize = "0" in "0" ..= "256";
    /// Connections that are served, over all listeners.
    connections_max: usize = "64" in "1" ..= "65536";
    /// Connections over connections_max whose calls are answered with a refusal for a second; any more are closed unread.
    connections_refused_max: usize = "16" in "0" ..= "1024";
    /// Calls at once on one connection; clients queue more by themselves.
    streams_max: usize = "128" in "1" ..= "10000";
    /// Calls at once over all connections, counted until their answers are sent; more are refused.
    calls_in_flight_max: usize = "4096" in "1" ..= "1000000";
    /// One message, in and out.
    message_bytes_max: Bytes = "256KiB" in "128KiB" ..= "16MiB";
    /// All headers of one call.
    header_bytes_max: Bytes = "8KiB" in "1KiB" ..= "1MiB";
    /// Commands in one ApplyBatch.
    batch_commands_max: usize = "1024" in "1" ..= "1024";
    /// Outcomes of one ApplyBatch; the commands after them are refused unapplied.
    batch_outcome_bytes_max: Bytes = "192KiB" in "1KiB" ..= "16MiB";
    /// The longest that a call may take, whatever deadline it carries.
    deadline_max: Duration = "2s" in "10ms" ..= "1m";
    /// The same for ReadRecords, which waits for news.
    feed_deadline_max: Duration = "35s" in "10ms" ..= "10m";
    /// From SIGTERM to the end of the process, whatever still runs.
    drain_max: Duration = "2s" in "0s" ..= "1h";
    /// Hunts at once, ended ones that are still kept included.
    hunts_max: usize = "10000" in "1" ..= "1000000";
    /// Players over all hunts that are held, those who left included; at more, newcomers are refused.
    players_max: usize = "2000000" in "1" ..= "100000000";
    /// Treasures and caches that all hunts that are held began with; at more, new hunts are refused.
    placed_max: usize = "50000000" in "1" ..= "1000000000";
    /// How long an ended hunt still answers reads; then it is let go.
    ended_keep: Duration = "10m" in "0s" ..= "7d";
    /// Ids of hunts let go that are remembered, so that none is used again; the oldest are forgotten first.
    gone_ids_max: usize = "100000" in "0" ..= "100000000";
    /// Records of the journal that are older are dropped; a reader who comes later is told of a gap.
    retain_age: Duration = "2h" in "1m" ..= "365d";
    /// The journal's bytes on disk; at more, the oldest records are dropped, whatever their age.
    retain_bytes: Bytes = "16GiB" in "256MiB" ..= "16TiB";
    /// While the disk has less left, commands are refused before they are applied, and reads go on.
    reserve: Bytes = "512MiB" in "1MiB" ..= "16TiB";
    /// Without a data_dir: records kept for the feed; the oldest go first.
    feed_records_max: usize = "1000000" in "1" ..= "100000000";
    /// Without a data_dir: memory of the records kept for the feed; the oldest go first.
    feed_bytes_max: Bytes = "256MiB" in "1MiB" ..= "64GiB";
    /// From a connection's start until the client has spoken HTTP/2.
    handshake_max: Duration = "5s" in "100ms" ..= "1m";
    /// How often the peer of a connection is asked whether it is still there.
    keepalive_interval: Duration = "10s" in "1s" ..= "1h";
    /// How long its answer may take before the connection is closed.
    keepalive_timeout: Duration = "5s" in "100ms" ..= "1h";
    /// What a client may send ahead on one call; more than message_bytes_max.
    stream_window_bytes: Bytes = "1MiB" in "65535" ..= "64MiB";
    /// What a client may send ahead on one connection; stream_window_bytes at least.
    connection_window_bytes: Bytes = "8MiB" in "65535" ..= "1GiB";
    /// Calls that a client may abandon before they are looked at; at more its connection is closed.
    resets_pending_max: usize = "256" in "20" ..= "10000";
    /// Calls of one connection that may end by the client's protocol errors; at more it is closed.
    resets_local_max: usize = "256" in "20" ..= "10000";
    /// Connections of the admin port; more wait.
    admin_connections_max: usize = "32" in "1" ..= "1024";
    /// How long a connection of the admin port may take over a request, or be without one.
    admin_idle_max: Duration = "10s" in "100ms" ..= "10m";
}

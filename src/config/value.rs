//! The kinds of values that a setting can have: how each is read from text, written, and called in help.
//!
//! Flags, the environment and the file all go through the same reader, so that a value means the same
//! wherever it stands.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use bytesize::ByteSize;

/// A setting's type.
pub(super) trait Value: Sized {
    /// What stands for a value in help and tables, as in `--drain-max DURATION`.
    const PLACEHOLDER: &'static str;
    /// Whether the flag may be repeated and the file holds an array.
    const LIST: bool = false;

    /// Reads the value; several texts only where `LIST`.
    ///
    /// # Errors
    /// Says what was expected, without naming the setting: the caller does.
    fn read(texts: &[String]) -> Result<Self, String>;

    /// The value as one would type it; nothing where it is unset.
    fn write(&self) -> Vec<String>;
}

/// A value that is one text.
trait Scalar: Sized {
    const PLACEHOLDER: &'static str;
    fn parse(text: &str) -> Result<Self, String>;
    fn show(&self) -> String;
}

impl<T: Scalar> Value for T {
    const PLACEHOLDER: &'static str = <T as Scalar>::PLACEHOLDER;

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [one] => T::parse(one),
            _ => Err(format!("wants one value, and has {}", texts.len())),
        }
    }

    fn write(&self) -> Vec<String> {
        vec![self.show()]
    }
}

/// A setting that may be left out; its default is written as nothing at all.
impl<T: Scalar> Value for Option<T> {
    const PLACEHOLDER: &'static str = <T as Scalar>::PLACEHOLDER;

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [] => Ok(None),
            [one] => T::parse(one).map(Some),
            _ => Err(format!("wants one value, and has {}", texts.len())),
        }
    }

    fn write(&self) -> Vec<String> {
        self.iter().map(Scalar::show).collect()
    }
}

impl<T: Scalar> Value for Vec<T> {
    const PLACEHOLDER: &'static str = <T as Scalar>::PLACEHOLDER;
    const LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| T::parse(text)).collect()
    }

    fn write(&self) -> Vec<String> {
        self.iter().map(Scalar::show).collect()
    }
}

impl Scalar for usize {
    const PLACEHOLDER: &'static str = "N";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "wants a whole number".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exact, unlike `ByteSize`'s own display: the largest unit that divides the number.
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        match units
            .iter()
            .find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size))
        {
            Some((unit, size)) => write!(f, "{}{unit}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Scalar for Bytes {
    const PLACEHOLDER: &'static str = "BYTES";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse::<ByteSize>()
            .ok()
            .and_then(|size| usize::try_from(size.as_u64()).ok())
            .map(Bytes)
            .ok_or_else(|| "wants a number of bytes, as 262144 or 256KiB".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Scalar for Duration {
    const PLACEHOLDER: &'static str = "DURATION";

    fn parse(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map_err(|_| "wants a duration with its unit, as 2s or 250ms".to_owned())
    }

    fn show(&self) -> String {
        humantime::format_duration(*self).to_string()
    }
}

impl Scalar for SocketAddr {
    const PLACEHOLDER: &'static str = "ADDR";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "wants an IP address and a port, as 127.0.0.1:9464".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Scalar for PathBuf {
    const PLACEHOLDER: &'static str = "DIR";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("wants a path".to_owned());
        }
        Ok(PathBuf::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Where gRPC is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    Unix(PathBuf),
    /// On loopback only.
    Tcp(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
            Listen::Tcp(addr) => write!(f, "tcp:{addr}"),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return PathBuf::parse(path).map(Listen::Unix);
        }
        let Some(addr) = text.strip_prefix("tcp:") else {
            return Err("wants unix:PATH or tcp:IP:PORT".to_owned());
        };
        let addr = SocketAddr::parse(addr)?;
        if !addr.ip().is_loopback() {
            return Err(
                "is not a loopback address, and whoever reaches the port may change every hunt: \
                 listen on tcp:127.0.0.1:PORT or on a Unix socket"
                    .to_owned(),
            );
        }
        Ok(Listen::Tcp(addr))
    }
}

impl Scalar for Listen {
    const PLACEHOLDER: &'static str = "unix:PATH|tcp:ADDR";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A setting that is one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $placeholder:literal { $($(#[$arm_doc:meta])* $arm:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$arm_doc])* $arm),+ }

        impl Scalar for $name {
            const PLACEHOLDER: &'static str = $placeholder;

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($name::$arm),)+
                    _ => Err(format!("wants one of {}", $placeholder.replace('|', ", "))),
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }

        impl $name {
            /// As it is typed.
            pub fn word(self) -> &'static str {
                match self { $($name::$arm => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What an answer promises about a crash.
    Durability = "sync|interval|none" {
        /// Answered after the record is synced to disk.
        Sync = "sync",
        /// Answered after the record is written, which is synced every few milliseconds.
        Interval = "interval",
        /// Answered at once.
        None = "none",
    }
}

words! {
    /// Who says which hunts this engine owns.
    Claim = "router|auto" {
        /// The router, with the epochs of its ledger.
        Router = "router",
        /// The engine itself: it owns whatever it is asked to create.
        Auto = "auto",
    }
}

words! {
    /// The form of a log line.
    LogFormat = "text|json" {
        Text = "text",
        Json = "json",
    }
}

words! {
    /// The least level that is logged.
    LogLevel = "error|warn|info|debug|trace" {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

//! `player-state replay`: plays a file of stamped commands through the rules, and writes what became
//! of them. The Go engine does the same; the two outputs are the same bytes, which is how the engines
//! check each other.
//!
//! A replay file is a stream of `Record` messages, each after its length as a varint: record 1
//! (`created`, with settings and the ruleset's bytes), one `applied` a command (the command and its
//! `at_ms` alone), `owner_changed` with its `epoch` where the hunt passed to another owner, and, if the hunt
//! is to end by call, `ended`. Nothing here reads a clock.

mod frames;
mod game;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::Serialize;

use self::frames::FrameError;
pub(crate) use self::{
    frames::write_encoded,
    game::{Game, KnownRulesets, PlayError},
};
use crate::{exit::Exit, pb::Record};

/// The `FILE` that stands for standard input.
const STDIN: &str = "-";

/// How often the record of an applied command carries the digest in a replay file.
const DIGEST_EVERY: u64 = 100;

/// What a replay comes to.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Records read, and as many written.
    pub records: u64,
    /// Commands that were applied.
    pub applied: u64,
    /// The digest at the end, in decimal digits: it may not fit a JSON number.
    pub digest: String,
}

/// Why a replay stops.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is nothing in it.
    #[error("record 1: the file is empty; it has to begin with a created record")]
    Empty,
    /// A record that cannot be read.
    #[error("record {number}: {why}")]
    Frame {
        /// From 1, in the order of the file.
        number: u64,
        /// What is wrong with it.
        why: FrameError,
    },
    /// A record that cannot be played.
    #[error("record {number}: {why}")]
    Play {
        /// From 1, in the order of the file.
        number: u64,
        /// What is wrong with it.
        why: PlayError,
    },
    /// The output cannot be written.
    #[error("the output cannot be written: {0}")]
    Write(io::Error),
}

/// Plays `path` (`-` is standard input) and writes to `out`.
///
/// # Errors
/// 65 for a file that is wrong, with the number of the record; 1 if the output cannot be written.
/// What was written until then is whole.
pub fn file(path: &Path, out: impl Write) -> Result<Summary, Exit> {
    let name = path.display();
    let played = if path.as_os_str() == STDIN {
        run(io::stdin().lock(), out)
    } else {
        let file = File::open(path).map_err(|err| Exit::data(format!("{name}: {err}")))?;
        run(BufReader::new(file), out)
    };
    played.map_err(|err| match err {
        ReplayError::Write(_) => Exit::runtime(err.to_string()),
        ReplayError::Empty | ReplayError::Frame { .. } | ReplayError::Play { .. } => {
            Exit::data(format!("{name}: {err}"))
        }
    })
}

/// Plays a stream of records and writes each with its outcome, sequence, epoch and digest, as soon as
/// the one after it was read: the last carries the digest.
///
/// # Errors
/// See [`ReplayError`].
pub fn run(mut file: impl BufRead, out: impl Write) -> Result<Summary, ReplayError> {
    play_all(&mut file, &mut BufWriter::new(out))
}

fn play_all(file: &mut impl BufRead, out: &mut impl Write) -> Result<Summary, ReplayError> {
    let first = next(file, 1)?.ok_or(ReplayError::Empty)?;
    let opened = Game::open(first, DIGEST_EVERY, &mut KnownRulesets::default());
    let (mut game, mut played) = opened.map_err(|why| ReplayError::Play { number: 1, why })?;
    let mut number = 1;
    // One record ahead, for the last one carries the digest whatever its sequence.
    while let Some(given) = next(file, number + 1)? {
        write(out, &played)?;
        number += 1;
        let taken = game.play(given);
        played = taken.map_err(|why| ReplayError::Play { number, why })?;
    }
    let digest = game.digest();
    played.digest = digest;
    write(out, &played)?;
    Ok(Summary {
        records: number,
        applied: game.applied(),
        digest: digest.to_string(),
    })
}

fn next(file: &mut impl BufRead, number: u64) -> Result<Option<Record>, ReplayError> {
    frames::read(file).map_err(|why| ReplayError::Frame { number, why })
}

/// At once: whoever feeds the records one by one can read along.
fn write(out: &mut impl Write, record: &Record) -> Result<(), ReplayError> {
    frames::write(out, record)
        .and_then(|()| out.flush())
        .map_err(ReplayError::Write)
}

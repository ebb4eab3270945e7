//! A look at fjall's write-ahead files before fjall opens them.
//!
//! fjall cuts a file off at the first batch that it cannot read, whatever follows. That is right for a torn
//! end, which nobody was answered for, and wrong for damage before good batches, which were answered: so those
//! are looked for first. The form is fjall 3's: batches of `Start {count, seqno} Item… End {checksum}`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::bytes::Buf;
use xxhash_rust::xxh3::xxh3_64;

use crate::journal::Damage;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// fjall gives numbers to more than batches; never so many between two.
const NUMBERS_SKIPPED_MAX: u64 = 1 << 32;
/// fjall panics where it would give a higher one.
const NUMBERS_MAX: u64 = 1 << 63;
/// What ends an `End`.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Looks at all write-ahead files of a database, and answers how many bytes of its end are torn.
///
/// # Errors
/// Damage that good batches follow, or a file that is missing or cannot be read.
pub(super) fn check(database: &Path) -> Result<u64, Damage> {
    let files = files(database).map_err(|err| unreadable(database, &err))?;
    if files.is_empty() {
        return Err(Damage {
            at: database.display().to_string(),
            what: "no write-ahead file is there".to_owned(),
        });
    }
    let mut torn_bytes = 0;
    for (nth, path) in files.iter().enumerate() {
        let bytes = fs::read(path).map_err(|err| unreadable(path, &err))?;
        let whole = whole_batches(&bytes);
        let rest = &bytes[whole..];
        let written = rest.len() - rest.iter().rev().take_while(|byte| **byte == 0).count();
        if written == 0 {
            continue; // room that was set aside and is not used yet
        }
        let at = || format!("{} offset {whole}", path.display());
        if let Some((_, number)) = batch(rest) {
            let what =
                format!("a batch has number {number}, which cannot follow the one before it");
            return Err(Damage { at: at(), what });
        }
        if let Some(offset) = next_batch(rest) {
            return Err(Damage {
                at: at(),
                what: format!(
                    "no whole batch, and good ones follow from offset {} on",
                    whole + offset
                ),
            });
        }
        // The one before was synced whole before this one was begun.
        if nth + 1 < files.len() {
            let what =
                format!("no whole batch in its last {written} bytes, and a later file follows");
            return Err(Damage { at: at(), what });
        }
        torn_bytes += written as u64;
    }
    Ok(torn_bytes)
}

/// The files, the oldest first.
fn files(database: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(database)? {
        let path = entry?.path();
        let is_journal = path.extension().is_some_and(|found| found == "jnl");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (true, Some(number)) = (is_journal, number) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn unreadable(path: &Path, err: &std::io::Error) -> Damage {
    Damage {
        at: path.display().to_string(),
        what: format!("cannot be read: {err}"),
    }
}

/// How many bytes whole batches fill from the beginning on. Their numbers ascend: fjall's checksum does not cover
/// them, so that is how a flipped bit in one is seen, which fjall would take as it is.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut whole = 0;
    let mut last = None;
    while let Some((len, number)) = batch(&bytes[whole..]) {
        let may_be = match last {
            Some(last) => last + 1..last + NUMBERS_SKIPPED_MAX,
            None => 0..NUMBERS_MAX,
        };
        if !may_be.contains(&number) {
            break;
        }
        (last, whole) = (Some(number), whole + len);
    }
    whole
}

/// Where the next whole batch begins, if one does.
fn next_batch(bytes: &[u8]) -> Option<usize> {
    let looks_like_one =
        |at: &usize| bytes[*at] == START && matches!(bytes.get(at + 13), Some(&(ITEM | CLEAR)));
    (1..bytes.len())
        .filter(looks_like_one)
        .find(|at| batch(&bytes[*at..]).is_some())
}

/// The length and number of the whole batch that `bytes` begin with.
fn batch(bytes: &[u8]) -> Option<(usize, u64)> {
    let mut rest = bytes;
    if rest.try_get_u8().ok()? != START {
        return None;
    }
    let count = rest.try_get_u32_le().ok()?;
    let number = rest.try_get_u64_le().ok()?;
    let items = rest;
    for _ in 0..count {
        item(&mut rest)?;
    }
    let items = &items[..items.len() - rest.len()];
    if rest.try_get_u8().ok()? != END {
        return None;
    }
    let checksum = rest.try_get_u64_le().ok()?;
    let trailer = rest.get(..TRAILER.len())?;
    let is_whole = trailer == TRAILER && checksum == xxh3_64(items);
    is_whole.then(|| (bytes.len() - rest.len() + TRAILER.len(), number))
}

fn item(rest: &mut &[u8]) -> Option<()> {
    match rest.try_get_u8().ok()? {
        CLEAR => {
            rest.try_get_u64_le().ok()?; // the keyspace
        }
        ITEM => {
            rest.try_get_u16_le().ok()?; // type of value, compression
            rest.try_get_u64_le().ok()?; // the keyspace
            let key = usize::from(rest.try_get_u16_le().ok()?);
            rest.try_get_u32_le().ok()?; // the value's length before compression
            let value = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
            *rest = rest.get(key.checked_add(value)?..)?;
        }
        _ => return None,
    }
    Some(())
}

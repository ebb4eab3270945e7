//! A look at fjall's write-ahead files before fjall opens them.
//!
//! fjall cuts a file off at the first batch that it cannot read, whatever follows. That is right for a torn
//! end, which nobody was answered for, and wrong for damage before good batches, which were answered: so those
//! are looked for first. The form is fjall 3's: batches of `Start {count, seqno} Item… End {checksum}`.

use std::{
    fs, io,
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
/// Where a batch has its number, and what it begins with: `Start`, count and number.
const NUMBER_OFFSET: usize = 1 + 4;
const HEAD_BYTES: usize = NUMBER_OFFSET + 8;
/// What ends an `End`.
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Looks at all write-ahead files of a database, and answers how many bytes of its end are torn.
///
/// # Errors
/// Damage that good batches follow, or a file that cannot be read.
pub(super) fn check(database: &Path) -> Result<u64, Damage> {
    let files = files(database).map_err(|err| unreadable(database, &err))?;
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
fn files(database: &Path) -> io::Result<Vec<PathBuf>> {
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

fn unreadable(path: &Path, err: &io::Error) -> Damage {
    Damage {
        at: path.display().to_string(),
        what: format!("cannot be read: {err}"),
    }
}

/// How many bytes whole batches fill from the beginning on. Their numbers ascend: fjall's checksum does not cover
/// them, so that is how a flipped bit in one is seen.
fn whole_batches(bytes: &[u8]) -> usize {
    let mut whole = 0;
    let mut last = None;
    while let Some((len, number)) = batch(&bytes[whole..]) {
        if last.is_some_and(|last| !(last + 1..last + NUMBERS_SKIPPED_MAX).contains(&number)) {
            break;
        }
        (last, whole) = (Some(number), whole + len);
    }
    whole
}

/// A whole batch of a file.
struct Batch {
    offset: usize,
    len: usize,
    number: u64,
}

/// A part of a file that is no whole batch.
pub(super) struct Lost {
    /// The file and the offset.
    pub(super) at: String,
    pub(super) bytes: usize,
    /// Nothing follows it, so it may be a write that nobody was answered for.
    pub(super) is_end: bool,
}

/// Writes what is whole of a database's write-ahead files into files of the same names in `to`, so that fjall takes
/// all of it. Answers what is not.
pub(super) fn copy_whole(database: &Path, to: &Path) -> io::Result<Vec<Lost>> {
    let mut last = None;
    each_file(database, |path, bytes, batches| {
        let mut whole = Vec::with_capacity(bytes.len());
        for (nth, batch) in batches.iter().enumerate() {
            let next = batches.get(nth + 1).map(|batch| batch.number);
            let number = ascending(last, batch.number, next);
            let at = whole.len() + NUMBER_OFFSET;
            whole.extend_from_slice(&bytes[batch.offset..][..batch.len]);
            whole[at..][..8].copy_from_slice(&number.to_le_bytes());
            last = Some(number);
        }
        fs::write(to.join(path.file_name().unwrap_or_default()), whole)
    })
}

/// Hands each key with its value in what is whole of a database's write-ahead files to `found`. Answers what is not.
pub(super) fn each_item(
    database: &Path,
    mut found: impl FnMut(&[u8], &[u8]),
) -> io::Result<Vec<Lost>> {
    each_file(database, |_, bytes, batches| {
        for batch in batches {
            let mut rest = &bytes[batch.offset + HEAD_BYTES..][..batch.len - HEAD_BYTES];
            while let Some((key, value)) = item(&mut rest) {
                found(key, value);
            }
        }
        Ok(())
    })
}

/// Hands each write-ahead file, with its whole batches, to `work`. Answers what is no whole batch.
fn each_file(
    database: &Path,
    mut work: impl FnMut(&Path, &[u8], &[Batch]) -> io::Result<()>,
) -> io::Result<Vec<Lost>> {
    let mut lost = Vec::new();
    let files = files(database)?;
    for path in &files {
        let bytes = fs::read(path)?;
        let (batches, holes) = all_batches(&bytes);
        let is_last = files.last() == Some(path);
        lost.extend(holes.into_iter().map(|(offset, len)| Lost {
            at: format!("{} offset {offset}", path.display()),
            bytes: len,
            is_end: is_last && batches.last().is_none_or(|batch| batch.offset < offset),
        }));
        work(path, &bytes, &batches)?;
    }
    Ok(lost)
}

/// A batch's number, which no checksum covers, or one that goes with its neighbours where it does not.
fn ascending(last: Option<u64>, number: u64, next: Option<u64>) -> u64 {
    let follows = last.is_none_or(|last| (last + 1..last + NUMBERS_SKIPPED_MAX).contains(&number));
    let is_followed =
        next.is_none_or(|next| number < next || last.is_some_and(|last| next <= last));
    match last {
        _ if follows && is_followed => number,
        Some(last) => last + 1,
        None => next.map_or(number, |next| next.saturating_sub(1)),
    }
}

/// All whole batches; offset and length of what is written between and behind them.
fn all_batches(bytes: &[u8]) -> (Vec<Batch>, Vec<(usize, usize)>) {
    let (mut batches, mut holes) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        if let Some((len, number)) = batch(&bytes[at..]) {
            batches.push(Batch {
                offset: at,
                len,
                number,
            });
            at += len;
            continue;
        }
        let rest = &bytes[at..];
        let len = next_batch(rest).unwrap_or(rest.len());
        let written = len
            - rest[..len]
                .iter()
                .rev()
                .take_while(|byte| **byte == 0)
                .count();
        if written > 0 {
            holes.push((at, written));
        }
        at += len;
    }
    (batches, holes)
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

/// Key and value of the next item; both empty if it clears a keyspace.
fn item<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    match rest.try_get_u8().ok()? {
        CLEAR => {
            rest.try_get_u64_le().ok()?; // the keyspace
            Some((&[], &[]))
        }
        ITEM => {
            rest.try_get_u16_le().ok()?; // type of value, compression
            rest.try_get_u64_le().ok()?; // the keyspace
            let key = usize::from(rest.try_get_u16_le().ok()?);
            rest.try_get_u32_le().ok()?; // the value's length before compression
            let value = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
            Some((take(rest, key)?, take(rest, value)?))
        }
        _ => None,
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let taken = rest.get(..len)?;
    *rest = &rest[len..];
    Some(taken)
}

#[cfg(test)]
mod tests {
    use prost::bytes::BufMut as _;

    use super::*;

    /// A batch of one item.
    fn one(number: u64) -> Vec<u8> {
        let mut item = vec![ITEM, 0, 0];
        item.put_u64_le(1);
        item.put_u16_le(8);
        item.put_u32_le(5);
        item.put_u32_le(5);
        item.put_u64(number);
        item.put_slice(b"value");
        let mut bytes = vec![START];
        bytes.put_u32_le(1);
        bytes.put_u64_le(number);
        bytes.put_slice(&item);
        bytes.put_u8(END);
        bytes.put_u64_le(xxh3_64(&item));
        bytes.put_slice(&TRAILER);
        bytes
    }

    /// The numbers of the batches and of the keys that are left of a file, and what is told as lost.
    fn salvaged(bytes: &[u8]) -> (Vec<u64>, Vec<u64>, Vec<Lost>) {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for dir in [&from, &to] {
            fs::create_dir(dir).expect("a directory");
        }
        fs::write(from.join("0.jnl"), bytes).expect("a write");
        let lost = copy_whole(&from, &to).expect("copied");
        assert_eq!(check(&to), Ok(0), "fjall takes all of it");
        let whole = fs::read(to.join("0.jnl")).expect("a file");
        let numbers = all_batches(&whole)
            .0
            .iter()
            .map(|batch| batch.number)
            .collect();
        let mut keys = Vec::new();
        let key = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("8 bytes"));
        each_item(&to, |bytes, value| {
            assert_eq!(value, b"value");
            keys.push(key(bytes));
        })
        .expect("read");
        (numbers, keys, lost)
    }

    #[test]
    fn whole_batches_are_kept_on_both_sides_of_damage() {
        let len = one(1).len();
        let file = || (7..=10).flat_map(one).collect::<Vec<_>>();
        let mut torn = file();
        torn.truncate(4 * len - 1);
        let (_, keys, lost) = salvaged(&torn);
        assert_eq!((keys, lost[0].is_end), (vec![7, 8, 9], true));
        for nth in 0..4 {
            let mut damaged = file();
            damaged[nth * len + len / 2] ^= 1;
            let (_, keys, lost) = salvaged(&damaged);
            let left: Vec<_> = (7..=10).filter(|key| *key != 7 + nth as u64).collect();
            assert_eq!(keys, left);
            assert_eq!(
                (lost.len(), lost[0].bytes, lost[0].is_end),
                (1, len, nth == 3)
            );
        }
    }

    /// No checksum covers it.
    #[test]
    fn a_number_that_does_not_go_with_its_neighbours_is_made_to() {
        let len = one(1).len();
        for nth in 0..4 {
            for bit in 0..64 {
                let mut bytes: Vec<_> = (7..=10).flat_map(one).collect();
                bytes[nth * len + NUMBER_OFFSET + bit / 8] ^= 1 << (bit % 8);
                let (numbers, keys, lost) = salvaged(&bytes);
                assert_eq!((keys, lost.len()), (vec![7, 8, 9, 10], 0));
                assert!(
                    numbers.is_sorted_by(|a, b| a < b),
                    "{nth}, {bit}: {numbers:?}"
                );
            }
        }
    }
}

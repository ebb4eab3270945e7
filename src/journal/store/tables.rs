//! A look at which tables make up a database, before fjall opens it.
//!
//! fjall checks each block that it reads, but not what says which blocks and tables there are: it removes a keyspace
//! without its `current`, takes an older state for the newest if one bit of that is flipped, begins a database without
//! its `version` anew, asks for as much memory as a flipped table of contents says, and makes a large value as long as
//! a flipped length says. So those are looked at first.
//!
//! The form is fjall 3's. `keyspaces/<id>/current` has the number and the checksum of the `v<number>` beside it, which
//! names the tables and the files of large values. All of these are archives: sections, then `TOC!` and where each
//! section is, then `SFA!` and where the `TOC!` is.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
};

use prost::bytes::Buf as _;
use xxhash_rust::xxh3::xxh3_128;

use super::storage;
use crate::journal::Damage;

/// What the file `version` of a database holds.
const VERSION: [u8; 4] = *b"FJL\x03";

/// The one type of checksum that there is.
const XXH3: u8 = 0;

/// `SFA!`, version, type of checksum, checksum and place of the table of contents, and its length.
const TRAILER_BYTES: usize = 4 + 1 + 1 + 16 + 8 + 8;

/// How a trailer begins: with version and type of checksum.
const TRAILER: [u8; 6] = *b"SFA!\x01\x00";

/// Looks at a database with so many keyspaces of ours; fjall has one of its own, 0, with their names.
///
/// # Errors
/// A part of it is missing, or is not as it was written.
pub(super) fn check(database: &Path, keyspaces: u64) -> Result<(), Damage> {
    each_keyspace(database, keyspaces, |path, named| {
        let mut values = named.values.iter();
        values.try_for_each(|(id, checksum)| {
            check_whole(&path.join(format!("blobs/{id}")), *checksum)
        })
    })
}

/// Looks only at the lists of what makes up a database, and of what makes up its tables.
///
/// # Errors
/// As [`check`].
pub(super) fn check_lists(database: &Path, keyspaces: u64) -> Result<(), Damage> {
    each_keyspace(database, keyspaces, |_, _| Ok(()))
}

fn each_keyspace(
    database: &Path,
    keyspaces: u64,
    look: impl Fn(&Path, &Named) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let version = database.join("version");
    if read(&version)? != VERSION {
        return Err(damage(&version, "it is not that of a database of fjall 3"));
    }
    for id in 0..=keyspaces {
        let path = database.join(format!("keyspaces/{id}"));
        look(&path, &named(&path)?)?;
    }
    Ok(())
}

/// What a keyspace is made up of.
fn named(path: &Path) -> Result<Named, Damage> {
    let current = path.join("current");
    let told = read(&current)?;
    let (version, checksum) =
        decode(&told).ok_or_else(|| damage(&current, "it names no version of the tables"))?;
    let version = path.join(format!("v{version}"));
    let bytes = read(&version)?;
    if xxh3_128(&bytes) != checksum {
        let what = format!("its checksum is not the one in {}", current.display());
        return Err(damage(&version, what));
    }
    let named = Named::decode(&bytes).ok_or_else(|| damage(&version, "it names no tables"))?;
    for id in &named.tables {
        check_contents(&path.join(format!("tables/{id}")))?;
    }
    Ok(named)
}

fn decode(mut current: &[u8]) -> Option<(u64, u128)> {
    let version = current.try_get_u64_le().ok()?;
    let checksum = current.try_get_u128_le().ok()?;
    (current == [XXH3]).then_some((version, checksum))
}

/// The numbers of the files that a version has.
#[derive(Default)]
struct Named {
    tables: Vec<u64>,
    /// Those of large values, each with the checksum of all of it.
    values: Vec<(u64, u128)>,
}

impl Named {
    fn decode(version: &[u8]) -> Option<Self> {
        let (_, trailer) = version.split_last_chunk::<TRAILER_BYTES>()?;
        let (_, place) = place_of_contents(trailer)?;
        let mut tables = section(version, place, b"tables")?;
        let mut named = Self::default();
        for _ in 0..tables.try_get_u8().ok()? {
            for _ in 0..tables.try_get_u8().ok()? {
                for _ in 0..tables.try_get_u32_le().ok()? {
                    let (id, _) = file(&mut tables)?;
                    named.tables.push(id);
                    tables.try_get_u64_le().ok()?; // the number that its entries begin from
                }
            }
        }
        let mut values = section(version, place, b"blob_files")?;
        for _ in 0..values.try_get_u32_le().ok()? {
            named.values.push(file(&mut values)?);
        }
        Some(named)
    }
}

/// A file's number, and the checksum of all of it.
fn file(rest: &mut &[u8]) -> Option<(u64, u128)> {
    let id = rest.try_get_u64_le().ok()?;
    rest.try_get_u8().ok()?; // the type of checksum
    Some((id, rest.try_get_u128_le().ok()?))
}

/// A section of an archive whose table of contents is at `place`.
fn section<'a>(archive: &'a [u8], place: u64, wanted: &[u8]) -> Option<&'a [u8]> {
    let at = usize::try_from(place).ok()?;
    let mut rest = archive.get(at..)?.strip_prefix(b"TOC!")?;
    for _ in 0..rest.try_get_u32_le().ok()? {
        let start = usize::try_from(rest.try_get_u64_le().ok()?).ok()?;
        let len = usize::try_from(rest.try_get_u64_le().ok()?).ok()?;
        let name_bytes = usize::from(rest.try_get_u16_le().ok()?);
        let (name, after) = rest.split_at_checked(name_bytes)?;
        if name == wanted {
            return archive.get(start..)?.get(..len);
        }
        rest = after;
    }
    None
}

/// The checksum and the place of an archive's table of contents.
fn place_of_contents(trailer: &[u8; TRAILER_BYTES]) -> Option<(u128, u64)> {
    let mut rest = trailer.strip_prefix(&TRAILER)?;
    let checksum = rest.try_get_u128_le().ok()?;
    Some((checksum, rest.try_get_u64_le().ok()?))
}

/// Looks at all of a file, which fjall does not let grow over 64 MiB.
fn check_whole(path: &Path, checksum: u128) -> Result<(), Damage> {
    if xxh3_128(&read(path)?) == checksum {
        return Ok(());
    }
    Err(damage(path, "its checksum is wrong"))
}

/// Looks at the table of contents of an archive, which is at its end.
fn check_contents(path: &Path) -> Result<(), Damage> {
    if contents_are_whole(path).map_err(storage(path))? {
        return Ok(());
    }
    Err(damage(
        path,
        "its table of contents is not as it was written",
    ))
}

fn contents_are_whole(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let Some(end) = file.metadata()?.len().checked_sub(TRAILER_BYTES as u64) else {
        return Ok(false);
    };
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact_at(&mut trailer, end)?;
    let Some((checksum, place)) = place_of_contents(&trailer) else {
        return Ok(false);
    };
    let Some(len) = end.checked_sub(place) else {
        return Ok(false);
    };
    let mut contents = vec![0; len as usize]; // no more than the file has
    file.read_exact_at(&mut contents, place)?;
    Ok(xxh3_128(&contents) == checksum)
}

fn read(path: &Path) -> Result<Vec<u8>, Damage> {
    fs::read(path).map_err(storage(path))
}

fn damage(at: &Path, what: impl Into<String>) -> Damage {
    Damage {
        at: at.display().to_string(),
        what: what.into(),
    }
}

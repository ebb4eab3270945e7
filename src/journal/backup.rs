//! A backup: a journal's contents as a stream of bytes, and back.
//!
//! The form: one LZ4 frame, with the checksums of its blocks and of the whole, of pieces that each stand after their
//! length: a header, the parts, an end with their counts. So a stream that is cut is known as cut, wherever that is,
//! and a flipped bit is found before the last part is believed.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufRead as _, Read, Write},
};

use lz4_flex::frame::{self, BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use prost::{DecodeError, Message, Oneof, bytes::Bytes};
use serde::Serialize;

use super::{Contents, Damage, Entry, Fence, Head, KeptHunt, Part, Place};
use crate::engine::HuntId;

/// What a header begins with.
const MAGIC: &str = "player-state journal";

/// The form that is written, and the only one that is read.
const FORM: u32 = 1;

/// No piece is longer, in bytes: a snapshot is the longest, and is 16 MiB at most where it is handed over.
const PIECE_BYTES_MAX: usize = 32 << 20;

/// A length takes no more bytes than this.
const LENGTH_BYTES_MAX: usize = 10;

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Header(Header),
    #[prost(message, tag = "2")]
    Record(RecordPiece),
    #[prost(message, tag = "3")]
    Snapshot(SnapshotPiece),
    #[prost(string, tag = "4")]
    Gone(String),
    #[prost(message, tag = "5")]
    Fence(FencePiece),
    #[prost(message, tag = "6")]
    End(Counts),
}

#[derive(Clone, PartialEq, Message)]
struct Header {
    #[prost(string, tag = "1")]
    magic: String,
    #[prost(uint32, tag = "2")]
    form: u32,
    #[prost(uint64, tag = "3")]
    at_ms: u64,
    #[prost(uint64, tag = "4")]
    records: u64,
    #[prost(uint64, tag = "5")]
    recovery_start: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RecordPiece {
    #[prost(string, tag = "1")]
    hunt: String,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(bool, tag = "3")]
    is_move: bool,
    #[prost(bytes = "bytes", tag = "4")]
    record: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct SnapshotPiece {
    #[prost(string, tag = "1")]
    hunt: String,
    #[prost(uint64, tag = "2")]
    upto: u64,
    #[prost(bytes = "bytes", tag = "3")]
    snapshot: Bytes,
    #[prost(string, tag = "4")]
    ruleset_hash: String,
    /// There in the first snapshot that has this hash.
    #[prost(bytes = "bytes", optional, tag = "5")]
    ruleset: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct FencePiece {
    #[prost(string, tag = "1")]
    ledger_id: String,
    #[prost(uint64, tag = "2")]
    router_incarnation: u64,
    #[prost(uint64, tag = "3")]
    epoch: u64,
}

/// What a backup has.
#[derive(Clone, Copy, PartialEq, Eq, Message, Serialize)]
pub struct Counts {
    /// Records.
    #[prost(uint64, tag = "1")]
    pub records: u64,
    /// Snapshots of hunts.
    #[prost(uint64, tag = "2")]
    pub snapshots: u64,
    /// Ids of hunts that were let go.
    #[prost(uint64, tag = "3")]
    pub gone: u64,
}

impl Counts {
    /// One part more.
    pub fn count(&mut self, part: &Part) {
        match part {
            Part::Record(_) => self.records += 1,
            Part::Snapshot(_) => self.snapshots += 1,
            Part::Gone(_) => self.gone += 1,
            Part::Fence(_) => {}
        }
    }
}

/// Why no backup was written.
#[derive(Debug, thiserror::Error)]
pub enum Unsaved {
    /// The journal cannot be read.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// Whoever takes the backup takes no more.
    #[error("the backup cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes a backup, and hands each part to `passed` once it is written.
///
/// # Errors
/// The journal's damage, or what `out` says. What was written then is of no use, and is known as cut.
pub fn write_backup(
    contents: Contents,
    out: impl Write,
    mut passed: impl FnMut(&Part),
) -> Result<(), Unsaved> {
    let info = FrameInfo::new()
        .block_mode(BlockMode::Linked)
        .block_size(BlockSize::Max256KB)
        .block_checksums(true)
        .content_checksum(true);
    let mut frame = FrameEncoder::with_frame_info(info, out);
    let mut bytes = Vec::new();
    let mut write = |kind| {
        bytes.clear();
        let piece = Piece { kind: Some(kind) };
        if piece.encoded_len() > PIECE_BYTES_MAX {
            let what = format!("a snapshot of over {PIECE_BYTES_MAX} bytes");
            return Err(io::Error::other(what));
        }
        piece.encode_length_delimited(&mut bytes)?;
        frame.write_all(&bytes)
    };
    write(Kind::Header(Header {
        magic: MAGIC.to_owned(),
        form: FORM,
        at_ms: contents.head.at_ms,
        records: contents.head.records,
        recovery_start: contents.head.recovery_start.0,
    }))?;
    let mut counts = Counts::default();
    let mut rulesets = HashSet::new();
    for part in contents.parts {
        let part = part?;
        counts.count(&part);
        write(piece(&part, &mut rulesets))?;
        passed(&part);
    }
    write(Kind::End(counts))?;
    let mut out = frame.finish().map_err(io::Error::from)?;
    out.flush()?;
    Ok(())
}

/// A part as a piece; `rulesets` are those that were written.
fn piece(part: &Part, rulesets: &mut HashSet<String>) -> Kind {
    match part {
        Part::Record(entry) => Kind::Record(RecordPiece {
            hunt: entry.hunt.to_string(),
            sequence: entry.sequence,
            is_move: entry.is_move,
            record: entry.record.clone(),
        }),
        Part::Snapshot(kept) => Kind::Snapshot(SnapshotPiece {
            hunt: kept.hunt.to_string(),
            upto: kept.upto.0,
            snapshot: kept.snapshot.clone(),
            ruleset_hash: kept.ruleset_hash.clone(),
            ruleset: rulesets
                .insert(kept.ruleset_hash.clone())
                .then(|| kept.ruleset.clone()),
        }),
        Part::Gone(hunt) => Kind::Gone(hunt.to_string()),
        Part::Fence(fence) => Kind::Fence(FencePiece {
            ledger_id: fence.ledger_id.clone(),
            router_incarnation: fence.router_incarnation,
            epoch: fence.epoch,
        }),
    }
}

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something else.
    #[error("it is no backup of a journal")]
    Foreign,
    /// A backup of another version.
    #[error("it has form {0}, and this version reads form {FORM}: use the version that wrote it")]
    Form(u32),
    /// Its end is missing.
    #[error("it is cut off behind {0} of its parts")]
    Cut(u64),
    /// Something in it is wrong.
    #[error("it is damaged behind {parts} of its parts: {what}")]
    Damaged {
        /// How many parts are before.
        parts: u64,
        /// What is wrong.
        what: String,
    },
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(io::Error),
}

/// A backup that is read, part by part. A part that it hands out may be of a backup that is damaged further on: what
/// is made of its parts counts when the last was read.
pub struct Backup<R: Read> {
    frame: FrameDecoder<Source<R>>,
    head: Head,
    rulesets: HashMap<String, Bytes>,
    counts: Counts,
    parts: u64,
    ended: bool,
}

impl<R: Read> Backup<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// It is no backup that this version reads.
    pub fn open(source: R) -> Result<Self, BackupError> {
        let source = Source {
            inner: source,
            at_end: false,
        };
        let mut backup = Self {
            frame: FrameDecoder::new(source),
            head: Head::default(),
            rulesets: HashMap::new(),
            counts: Counts::default(),
            parts: 0,
            ended: false,
        };
        let Kind::Header(header) = backup.piece()? else {
            return Err(BackupError::Foreign);
        };
        if header.magic != MAGIC {
            return Err(BackupError::Foreign);
        }
        if header.form != FORM {
            return Err(BackupError::Form(header.form));
        }
        backup.head = Head {
            at_ms: header.at_ms,
            records: header.records,
            recovery_start: Place(header.recovery_start),
        };
        Ok(backup)
    }

    /// What is known before the parts are read.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next part; none behind the last, when all of it was found whole.
    fn part(&mut self) -> Result<Option<Part>, BackupError> {
        let part = match self.piece()? {
            Kind::Header(_) => return Err(self.damaged("a second header")),
            Kind::End(counts) => return self.check_end(counts).map(|()| None),
            Kind::Record(piece) => {
                if piece.record.len() > super::RECORD_BYTES_MAX {
                    let what = format!("a record of {} bytes", piece.record.len());
                    return Err(self.damaged(&what));
                }
                Part::Record(Entry {
                    hunt: self.hunt(&piece.hunt)?,
                    sequence: piece.sequence,
                    is_move: piece.is_move,
                    record: piece.record,
                })
            }
            Kind::Snapshot(piece) => Part::Snapshot(self.snapshot(piece)?),
            Kind::Gone(hunt) => Part::Gone(self.hunt(&hunt)?),
            Kind::Fence(piece) => Part::Fence(Fence {
                ledger_id: piece.ledger_id,
                router_incarnation: piece.router_incarnation,
                epoch: piece.epoch,
            }),
        };
        self.counts.count(&part);
        self.parts += 1;
        Ok(Some(part))
    }

    fn snapshot(&mut self, piece: SnapshotPiece) -> Result<KeptHunt, BackupError> {
        let hunt = self.hunt(&piece.hunt)?;
        if let Some(ruleset) = piece.ruleset {
            self.rulesets.insert(piece.ruleset_hash.clone(), ruleset);
        }
        let ruleset = self.rulesets.get(&piece.ruleset_hash).cloned();
        Ok(KeptHunt {
            ruleset: ruleset.ok_or_else(|| self.damaged("a snapshot without its ruleset"))?,
            hunt,
            upto: Place(piece.upto),
            snapshot: piece.snapshot,
            ruleset_hash: piece.ruleset_hash,
        })
    }

    fn hunt(&self, id: &str) -> Result<HuntId, BackupError> {
        HuntId::parse(id).map_err(|_| self.damaged("the id of a hunt that is none"))
    }

    fn piece(&mut self) -> Result<Kind, BackupError> {
        let len = self.length()?;
        let mut bytes = vec![0; len];
        let read = self.frame.read_exact(&mut bytes);
        read.map_err(|err| self.failed(err))?;
        let piece = Piece::decode(Bytes::from(bytes));
        let piece = piece.map_err(|err: DecodeError| self.damaged(&err.to_string()))?;
        piece.kind.ok_or_else(|| self.damaged("a piece of no kind"))
    }

    fn length(&mut self) -> Result<usize, BackupError> {
        let mut bytes = Vec::with_capacity(LENGTH_BYTES_MAX);
        while bytes.last().is_none_or(|last| last & 0x80 != 0) && bytes.len() < LENGTH_BYTES_MAX {
            let mut next = [0];
            let read = self.frame.read_exact(&mut next);
            read.map_err(|err| self.failed(err))?;
            bytes.push(next[0]);
        }
        let len = prost::decode_length_delimiter(&*bytes).ok();
        len.filter(|len| *len <= PIECE_BYTES_MAX)
            .ok_or_else(|| self.damaged("a piece of no possible length"))
    }

    /// The counts are right, the frame is whole to its end, and nothing follows it.
    fn check_end(&mut self, counts: Counts) -> Result<(), BackupError> {
        if counts != self.counts || counts.records != self.head.records {
            let what = format!("it tells of {counts:?}, and has {:?}", self.counts);
            return Err(self.damaged(&what));
        }
        let rest = self.frame.fill_buf().map(<[u8]>::len);
        match rest.map_err(|err| self.failed(err))? {
            // lz4_flex takes a frame that is cut before its end mark for one that ends.
            0 if self.frame.get_ref().at_end => return Err(BackupError::Cut(self.parts)),
            0 => {}
            _ => return Err(self.damaged("more follows its end")),
        }
        let mut next = [0];
        let more = self.frame.get_mut().read(&mut next);
        match more.map_err(BackupError::Read)? {
            0 => Ok(()),
            _ => Err(self.damaged("more follows its end")),
        }
    }

    fn damaged(&self, what: &str) -> BackupError {
        BackupError::Damaged {
            parts: self.parts,
            what: what.to_owned(),
        }
    }

    fn failed(&self, err: io::Error) -> BackupError {
        let of_frame = err.get_ref().and_then(|inner| inner.downcast_ref());
        match of_frame {
            Some(frame::Error::WrongMagicNumber) => BackupError::Foreign,
            Some(why) => self.damaged(&why.to_string()),
            None if err.kind() == io::ErrorKind::UnexpectedEof => BackupError::Cut(self.parts),
            None => BackupError::Read(err),
        }
    }
}

impl<R: Read> Iterator for Backup<R> {
    type Item = Result<Part, BackupError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.part();
        self.ended = !matches!(part, Ok(Some(_)));
        part.transpose()
    }
}

/// Where a backup is read from; knows when it has come to its end.
struct Source<R> {
    inner: R,
    at_end: bool,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.at_end |= read == 0 && !bytes.is_empty();
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> HuntId {
        HuntId::parse(&format!("hunt-{n}")).expect("an id")
    }

    fn parts() -> Vec<Part> {
        let record = |sequence: u64| {
            Part::Record(Entry {
                hunt: id(sequence % 2),
                sequence,
                is_move: sequence.is_multiple_of(3),
                record: vec![sequence as u8; 30].into(),
            })
        };
        let snapshot = |n| {
            Part::Snapshot(KeptHunt {
                hunt: id(n),
                upto: Place(3),
                snapshot: vec![n as u8; 50].into(),
                ruleset_hash: "hash".to_owned(),
                ruleset: Bytes::from_static(b"rules"),
            })
        };
        let fence = Fence {
            ledger_id: "ledger".to_owned(),
            router_incarnation: 7,
            epoch: 9,
        };
        let mut parts: Vec<_> = (1..=6).map(record).collect();
        parts.extend([snapshot(0), snapshot(1), Part::Gone(id(9))]);
        parts.push(Part::Fence(fence));
        parts
    }

    fn written() -> Vec<u8> {
        let head = Head {
            at_ms: 5,
            records: 6,
            recovery_start: Place(2),
        };
        let contents = Contents {
            head,
            parts: Box::new(parts().into_iter().map(Ok)),
        };
        let mut bytes = Vec::new();
        write_backup(contents, &mut bytes, |_| {}).expect("written");
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<Part>, BackupError> {
        Backup::open(bytes)?.collect()
    }

    #[test]
    fn a_backup_gives_back_what_was_put_in() {
        let bytes = written();
        let backup = Backup::open(&*bytes).expect("a backup");
        assert_eq!(backup.head().recovery_start, Place(2));
        assert_eq!(read(&bytes).expect("whole"), parts());
    }

    #[test]
    fn every_cut_is_known_as_a_cut_and_every_flipped_bit_is_found() {
        let bytes = written();
        for len in 0..bytes.len() {
            let why = read(&bytes[..len]).expect_err("a cut");
            assert!(matches!(why, BackupError::Cut(_)), "cut to {len}: {why}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_follows_a_backup_is_not_passed_over() {
        for more in [&b"x"[..], &written()] {
            let bytes = [&written(), more].concat();
            assert!(matches!(read(&bytes), Err(BackupError::Damaged { .. })));
        }
    }
}

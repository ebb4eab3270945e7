//! The replay file's form: `Record` messages, each after its length as a varint.

use std::io::{self, BufRead, Read as _, Write};

use prost::{DecodeError, Message as _};

use crate::{journal::RECORD_BYTES_MAX, pb::Record};

/// The longest varint that can be a length.
const LENGTH_BYTES_MAX: usize = 10;

/// Why the bytes are not a stream of records.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The file ends inside a record.
    #[error("is cut off: the file ends inside it")]
    CutOff,
    /// A length that no record has.
    #[error("is {0} bytes long, over the {RECORD_BYTES_MAX} that a record has at most")]
    TooLong(usize),
    /// Bytes that are no length or no record.
    #[error("is no Record message: {0}")]
    Decode(#[from] DecodeError),
}

/// Reads the next record; `None` at the end of the file.
pub(super) fn read(file: &mut impl BufRead) -> Result<Option<Record>, FrameError> {
    let Some(length) = read_length(file)? else {
        return Ok(None);
    };
    if length > RECORD_BYTES_MAX {
        return Err(FrameError::TooLong(length));
    }
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes).map_err(cut_off)?;
    Ok(Some(Record::decode(&*bytes)?))
}

/// Writes one record.
pub(super) fn write(file: &mut impl Write, record: &Record) -> io::Result<()> {
    write_encoded(file, &record.encode_to_vec())
}

/// Writes one record that is encoded already.
pub(crate) fn write_encoded(file: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let mut length = Vec::with_capacity(LENGTH_BYTES_MAX);
    prost::encoding::encode_varint(record.len() as u64, &mut length);
    file.write_all(&length)?;
    file.write_all(record)
}

fn read_length(file: &mut impl BufRead) -> Result<Option<usize>, FrameError> {
    let mut varint = Vec::with_capacity(LENGTH_BYTES_MAX);
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    for byte in file.take(LENGTH_BYTES_MAX as u64).bytes() {
        let byte = byte?;
        varint.push(byte);
        if byte < 0x80 {
            return Ok(Some(prost::decode_length_delimiter(&*varint)?));
        }
    }
    if varint.len() < LENGTH_BYTES_MAX {
        return Err(FrameError::CutOff);
    }
    Ok(Some(prost::decode_length_delimiter(&*varint)?))
}

fn cut_off(error: io::Error) -> FrameError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        FrameError::CutOff
    } else {
        FrameError::Read(error)
    }
}

//! Writes protobuf, in its canonical form: fields by number, defaults left out, numbers packed.
//!
//! Written by hand because the engine knows no protobuf library, and because a player is hashed, and a command
//! recorded, on the hot path. Reasons: docs/decisions/canonical-bytes.md. It reads nothing.

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

fn tag(field: u8, wire: u8) -> u8 {
    debug_assert!(field < 16, "a tag of one byte");
    field << 3 | wire
}

/// Writes the fields of one message, by ascending number, at the end of a buffer.
pub(crate) struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    pub(crate) fn of(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Writes a field's tag and a varint. The short ones, which most are, look at the buffer's room once.
    #[inline]
    fn tag_and_varint(&mut self, field: u8, wire: u8, value: u64) {
        let tag = tag(field, wire);
        if value < 1 << 7 {
            self.0.extend_from_slice(&[tag, value as u8]);
        } else {
            self.tag_and_long_varint(tag, value);
        }
    }

    #[inline(never)]
    fn tag_and_long_varint(&mut self, tag: u8, mut value: u64) {
        self.0.extend_from_slice(&[tag, value as u8 | 0x80]);
        value >>= 7;
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn number(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.tag_and_varint(field, VARINT, value);
        }
    }

    /// `int64`: a negative number takes ten bytes.
    pub(crate) fn signed(&mut self, field: u8, value: i64) {
        self.number(field, value as u64);
    }

    pub(crate) fn fixed64(&mut self, field: u8, value: u64) {
        if value != 0 {
            let mut bytes = [tag(field, FIXED64); 1 + 8];
            bytes[1..].copy_from_slice(&value.to_le_bytes());
            self.0.extend_from_slice(&bytes);
        }
    }

    pub(crate) fn text(&mut self, field: u8, value: &str) {
        if !value.is_empty() {
            self.message(field, value.as_bytes());
        }
    }

    /// A message within this one that is encoded already, which is written even when it is empty.
    pub(crate) fn message(&mut self, field: u8, encoded: &[u8]) {
        self.head(field, encoded.len());
        self.0.extend_from_slice(encoded);
    }

    /// The buffer, for who writes a message that is being [`nested`](Self::nested) with fields of its own.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        self.0
    }

    /// The head of a message within this one of so many bytes, which are to follow.
    pub(crate) fn head(&mut self, field: u8, len: usize) {
        self.tag_and_varint(field, BYTES, len as u64);
    }

    /// What [`message`](Self::message) takes for a message of so many bytes.
    pub(crate) fn message_len(len: usize) -> usize {
        let bits = usize::BITS - (len | 1).leading_zeros();
        1 + bits.div_ceil(7) as usize + len
    }

    /// Numbers under 128, of a packed field that is being [`nested`](Self::nested).
    pub(crate) fn packed(&mut self, numbers: impl Iterator<Item = u8>) {
        self.0.extend(numbers);
    }

    /// A message within this one, which is written even when it is empty. Answers where its bytes begin.
    pub(crate) fn nested(&mut self, field: u8, write: impl FnOnce(&mut Fields<'_>)) -> usize {
        self.head(field, 0);
        let begin = self.0.len();
        write(self);
        match self.0.len() - begin {
            len @ ..0x80 => {
                self.0[begin - 1] = len as u8;
                begin
            }
            len => self.make_room(begin, len),
        }
    }

    /// A length of more than one byte, before what begins there now.
    #[cold]
    fn make_room(&mut self, begin: usize, len: usize) -> usize {
        let mut head = Vec::with_capacity(8);
        Fields(&mut head).head(0, len);
        let length = head.split_off(1);
        let moved = begin - 1 + length.len();
        self.0.splice(begin - 1..begin, length);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_message_is_the_encoded_one_whatever_its_length() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            let inner = vec![7; len];
            let (mut nested, mut encoded) = (vec![1, 2], vec![1, 2]);
            let begin = Fields::of(&mut nested).nested(9, |fields| fields.bytes().extend(&inner));
            Fields::of(&mut encoded).message(9, &inner);
            assert_eq!(nested, encoded, "{len} bytes");
            assert_eq!(nested[begin..], inner, "{len} bytes");
        }
    }
}

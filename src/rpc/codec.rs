//! Messages in and out of the services: prost's, and those that the commands' way reads and writes itself.

use std::marker::PhantomData;

use prost::{
    Message,
    bytes::{Buf as _, BufMut as _},
};
use tonic::{
    Status,
    codec::{BufferSettings, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::wire::Encoded;

/// What a call's buffers begin with, in bytes, one each way: most messages are shorter, and a longer one takes as much
/// as it needs at once. tonic's own 8 KiB twice a call are most of what a call allocates.
const BUFFER_BYTES: usize = 512;

/// An answer of more bytes is sent in parts.
const YIELD_BYTES: usize = 32 * 1024;

/// A message that an answer is made of.
pub trait Put: Send + 'static {
    /// Appends its encoding.
    fn put(self, buf: &mut EncodeBuf<'_>);
}

/// A message that a request is made of.
pub trait Take: Sized + Send + 'static {
    /// Takes all that is there.
    ///
    /// # Errors
    /// It is no such message.
    fn take(buf: &mut DecodeBuf<'_>) -> Result<Self, Status>;
}

impl<M: Message + 'static> Put for M {
    fn put(self, buf: &mut EncodeBuf<'_>) {
        // Only room can be missing, and this buffer grows.
        let _ = self.encode(buf);
    }
}

impl<M: Message + Default + 'static> Take for M {
    fn take(buf: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        M::decode(buf).map_err(|err| undecodable(&err))
    }
}

impl Put for Encoded {
    fn put(self, buf: &mut EncodeBuf<'_>) {
        buf.reserve(self.0.len());
        buf.put_slice(&self.0);
    }
}

impl Take for Encoded {
    fn take(buf: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        Ok(Self(buf.copy_to_bytes(buf.remaining())))
    }
}

/// A request that is not what its method takes, in tonic's words: the edge puts them into ours.
pub(super) fn undecodable(err: &prost::DecodeError) -> Status {
    Status::internal(err.to_string())
}

/// The codec of all services.
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Put, U: Take> tonic::codec::Codec for Codec<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = Encoding<T>;
    type Decoder = Decoding<U>;

    fn encoder(&mut self) -> Encoding<T> {
        Encoding(PhantomData)
    }

    fn decoder(&mut self) -> Decoding<U> {
        Decoding(PhantomData)
    }
}

/// Writes answers.
pub struct Encoding<T>(PhantomData<T>);

impl<T: Put> Encoder for Encoding<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, buf: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.put(buf);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

/// Reads requests.
pub struct Decoding<U>(PhantomData<U>);

impl<U: Take> Decoder for Decoding<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        U::take(buf).map(Some)
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
    }
}

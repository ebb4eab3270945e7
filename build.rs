//! Compiles `proto/` with protox, so that no system protoc is needed, and hands the crate the
//! descriptor set (for reflection) and the schema's SHA-256.

use std::{env, fs, path::PathBuf};

use prost::Message as _;
use sha2::{Digest as _, Sha256};

const SCHEMA: &str = "proto/treasurehunt/playerstate/v1/player_state.proto";
const PACKAGE: &str = ".treasurehunt.playerstate.v1";

/// Messages that the commands' way reads and writes by itself (`src/wire/sent.rs`).
const ENCODED: [&str; 4] = [
    "ApplyRequest",
    "ApplyResponse",
    "ApplyBatchRequest",
    "ApplyBatchResponse",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile([SCHEMA], ["proto"])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors.clone())?;

    // The servers once more, over the messages of the first and a codec of ours.
    let server = out.join("server");
    fs::create_dir_all(&server)?;
    let ours = tonic_prost_build::configure()
        .out_dir(server)
        .build_client(false)
        .codec_path("crate::rpc::codec::Codec")
        .extern_path(PACKAGE, "crate::pb");
    ENCODED
        .iter()
        .fold(ours, |ours, message| {
            ours.extern_path(format!("{PACKAGE}.{message}"), "crate::wire::Encoded")
        })
        .compile_fds(descriptors)?;

    let hash = Sha256::digest(fs::read(SCHEMA)?);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo:rustc-env=SCHEMA_SHA256={hex}");
    Ok(())
}

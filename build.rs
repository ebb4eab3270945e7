//! Compiles `proto/` with protox, so that no system protoc is needed, and hands the crate the
//! descriptor set (for reflection) and the schema's SHA-256.

use std::{env, fs, path::PathBuf};

use prost::Message as _;
use sha2::{Digest as _, Sha256};

const SCHEMA: &str = "proto/treasurehunt/playerstate/v1/player_state.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile([SCHEMA], ["proto"])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(true)
        .compile_fds(descriptors)?;

    let hash = Sha256::digest(fs::read(SCHEMA)?);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo:rustc-env=SCHEMA_SHA256={hex}");
    Ok(())
}

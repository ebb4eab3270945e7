//! The messages alone: nothing is called and nothing served.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let schema = "proto/treasurehunt/playerstate/v1/player_state.proto";
    let descriptors = protox::compile([schema], ["proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .compile_fds(descriptors)?;
    Ok(())
}

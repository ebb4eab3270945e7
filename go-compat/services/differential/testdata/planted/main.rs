//! The part of the sidecar that plays replay files, without what serves: the least that has to be built
//! anew for each difference that is planted in the engine.

#![allow(dead_code, unused_imports, reason = "only the way through `replay` is used")]

#[path = "src/engine/mod.rs"]
mod engine;
#[path = "src/exit.rs"]
mod exit;
#[path = "src/journal/mod.rs"]
mod journal;
#[path = "src/replay/mod.rs"]
mod replay;
#[path = "src/wire/mod.rs"]
mod wire;

mod pb {
    tonic::include_proto!("treasurehunt.playerstate.v1");
}

/// `planted replay FILE`, as `player-state replay FILE`.
fn main() -> std::process::ExitCode {
    let file = std::env::args_os().nth(2).expect("planted replay FILE");
    match replay::file(file.as_ref(), std::io::stdout().lock()) {
        Ok(_) => std::process::ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("planted: {exit}");
            exit.code()
        }
    }
}

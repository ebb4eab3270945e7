//! What `deploy/` says to the program is what the program takes.

use std::{collections::BTreeSet, fs, path::Path};

use player_state::config::{self, ENV_PREFIX, Flags, Listen, ROWS};

fn deploy(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(path)
}

#[test]
fn the_settings_file_that_is_shipped_is_taken() {
    let file = deploy("systemd/player-state.toml");
    let resolved = config::resolve(&Flags::default(), Some(&file)).expect("good settings");
    let socket = Listen::Unix("/run/player-state/player-state.sock".into());
    assert_eq!(resolved.settings.listen, [socket]);
}

/// The environment of the image and of the sidecar in Kubernetes: one that no setting has would stop the start.
#[test]
fn the_environment_that_is_shipped_is_of_settings() {
    let known: BTreeSet<_> = ROWS.iter().map(config::Row::env).collect();
    for path in ["Dockerfile", "kustomize/base/sidecar.yaml"] {
        let text = fs::read_to_string(deploy(path)).expect("the file");
        let named: BTreeSet<_> = text
            .split(|c: char| !c.is_ascii_uppercase() && c != '_')
            .filter(|word| word.starts_with(ENV_PREFIX))
            .map(str::to_owned)
            .collect();
        assert!(named.len() >= 2, "{path}: {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

//! Calls point one way: Go calls the sidecar, the sidecar calls nobody, and nothing on the bridge is a stream.

use std::{fs, path::Path};

use player_state::pb;
use prost::Message as _;

/// What names a client, and the files that may: the probe command, the exporter of spans, and the command that asks a
/// process for a backup.
const CLIENTS: [&str; 5] = [
    "_client::",
    "client::conn",
    "Endpoint",
    "Channel",
    "SpanExporter",
];
const MAY: [&str; 3] = ["health.rs", "inspect/backup.rs", "telemetry/traces.rs"];

fn look(dir: &Path, src: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            look(&path, src, found);
            continue;
        }
        let name = path
            .strip_prefix(src)
            .expect("inside")
            .display()
            .to_string();
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let holds =
            code.flat_map(|line| CLIENTS.into_iter().filter(|client| line.contains(client)));
        found.extend(holds.map(|client| format!("{name}: {client}")));
    }
}

#[test]
fn nothing_that_serves_holds_a_client() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    look(&src, &src, &mut found);
    assert!(
        MAY.iter()
            .all(|may| found.iter().any(|hit| hit.starts_with(may))),
        "the search finds nothing: {found:?}"
    );
    found.retain(|hit| !MAY.iter().any(|may| hit.starts_with(may)));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_method_of_the_schema_is_a_stream() {
    let schema = prost_types::FileDescriptorSet::decode(pb::DESCRIPTORS).expect("the schema");
    let methods = schema
        .file
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method);
    let streams: Vec<_> = methods
        .filter(|method| method.client_streaming() || method.server_streaming())
        .collect();
    assert!(streams.is_empty(), "{streams:?}");
}

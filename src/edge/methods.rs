//! The methods that are served, as the layers see them: label, service, and how long a call may take.
//!
//! A method without a row is answered UNIMPLEMENTED and counted as `unknown`, so that no caller can
//! make labels up. A test walks the schema and fails on a served method without a row.

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// The request's path.
    pub path: &'static str,
    /// The cap on its time.
    pub cap: Cap,
}

/// Which cap a call's time has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// `deadline_max`; the call must carry a deadline.
    Command,
    /// `feed_deadline_max`; the call must carry a deadline.
    LongPoll,
    /// None: health and reflection, which hold nothing and may be streams.
    Free,
}

impl Method {
    /// The value of the label `method`: the path without its slash.
    pub fn label(&self) -> &'static str {
        &self.path[1..]
    }

    /// Whether it takes commands. The settings see to it that its answer is never over the message cap.
    pub fn takes_commands(&self) -> bool {
        self.path == APPLY_BATCH || self.path == APPLY
    }

    /// Whether it is one of the schema's, where bounds and deadlines are asked for.
    pub fn is_ours(&self) -> bool {
        self.cap != Cap::Free
    }
}

const fn method(path: &'static str, cap: Cap) -> Method {
    Method { path, cap }
}

const APPLY_BATCH: &str = "/treasurehunt.playerstate.v1.PlayerStateService/ApplyBatch";
const APPLY: &str = "/treasurehunt.playerstate.v1.PlayerStateService/Apply";

/// The table.
pub static METHODS: &[Method] = &[
    method(APPLY_BATCH, Cap::Command),
    method(APPLY, Cap::Command),
    method(
        "/treasurehunt.playerstate.v1.PlayerStateService/GetPlayer",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.PlayerStateService/GetHunt",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.PlayerStateService/CreateHunt",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.PlayerStateService/EndHunt",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.EventFeedService/ReadRecords",
        Cap::LongPoll,
    ),
    method(
        "/treasurehunt.playerstate.v1.EventFeedService/GetRecord",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Hello",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/ListHunts",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Probe",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/GetSnapshot",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Offer",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Seal",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Stage",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Activate",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Reopen",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Discard",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Retire",
        Cap::Command,
    ),
    method(
        "/treasurehunt.playerstate.v1.OwnershipService/Follow",
        Cap::Command,
    ),
    method("/grpc.health.v1.Health/Check", Cap::Free),
    method("/grpc.health.v1.Health/Watch", Cap::Free),
    method("/grpc.health.v1.Health/List", Cap::Free),
    method(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Cap::Free,
    ),
    method(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Cap::Free,
    ),
];

/// The services of the schema that are served.
pub const OUR_SERVICES: [&str; 3] = [
    "treasurehunt.playerstate.v1.PlayerStateService",
    "treasurehunt.playerstate.v1.EventFeedService",
    "treasurehunt.playerstate.v1.OwnershipService",
];

/// The row of a path, if it is served.
pub fn find(path: &str) -> Option<&'static Method> {
    row(path).map(|row| &METHODS[row])
}

/// Its place in the table.
pub(super) fn row(path: &str) -> Option<usize> {
    METHODS.iter().position(|method| method.path == path)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_served_method_of_the_schema_has_a_row_and_no_other() {
        let schema =
            prost_types::FileDescriptorSet::decode(crate::pb::DESCRIPTORS).expect("the schema");
        let mut in_schema = Vec::new();
        for file in &schema.file {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                if OUR_SERVICES.contains(&name.as_str()) {
                    in_schema.extend(
                        service
                            .method
                            .iter()
                            .map(|method| format!("/{name}/{}", method.name())),
                    );
                }
            }
        }
        let mut in_table: Vec<_> = METHODS
            .iter()
            .filter(|method| method.is_ours())
            .map(|method| method.path.to_owned())
            .collect();
        in_schema.sort();
        in_table.sort();
        assert_eq!(in_schema, in_table);
    }
}

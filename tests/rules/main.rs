//! docs/rules.md: its worked examples and the other golden vectors, and "What is always true" on generated hunts.

mod canonical;
mod concurrent;
mod differential;
mod generated;
mod rulesets;
mod stage;
mod vectors;

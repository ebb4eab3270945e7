//! docs/rules.md, rule by rule as worked examples, and "What is always true" on generated hunts.

mod actions;
mod canonical;
mod checks;
mod concurrent;
mod differential;
mod end;
mod generated;
mod power_ups;
mod resolving;
mod rulesets;
mod snapshots;
mod stage;

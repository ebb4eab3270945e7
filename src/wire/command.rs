//! Commands, from the wire to the engine.

use crate::{
    engine::{RawAction, RawCommand},
    pb::{Command, command::Action},
};

/// A command as the engine checks it. Borrows all of it.
#[must_use]
pub fn raw_command(command: &Command) -> RawCommand<'_> {
    RawCommand {
        hunt_id: &command.hunt_id,
        player_id: command.player_id,
        request_id: command.request_id,
        expected_version: command.expected_version,
        epoch: command.epoch,
        action: command.action.as_ref().map(raw_action),
    }
}

fn raw_action(action: &Action) -> RawAction<'_> {
    match action {
        Action::Join(_) => RawAction::Join,
        Action::Leave(_) => RawAction::Leave,
        Action::Move(step) => RawAction::Move {
            x: step.x,
            y: step.y,
        },
        Action::Dig(_) => RawAction::Dig,
        Action::PickUp(_) => RawAction::PickUp,
        Action::UsePowerUp(usage) => RawAction::UsePowerUp {
            power_up: &usage.power_up,
            target: usage.target_player_id,
        },
    }
}

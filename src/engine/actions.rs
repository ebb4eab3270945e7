//! The actions, each with its own checks in the order of docs/rules.md.
//!
//! What must stay true: an action checks first and changes after, so that a rejection leaves no trace.

use super::{
    Outcome, PlayerId, Rejection, Treasure,
    command::Act,
    map::{Found, Place},
    player::{HELD_MAX, PlayerRecord, Remembered},
    players::Seat,
    ruleset::{Ruleset, TimedKind},
    world::World,
};

/// Most treasures dug up or revealed, and most players reached, by one command.
pub(super) const REACHED_MAX: usize = 64;

impl World {
    /// Does what a player who is present wants, or says why not.
    pub(super) fn act(
        &mut self,
        ruleset: &Ruleset,
        now_ms: u32,
        seat: Seat,
        act: Act<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Rejection> {
        match act {
            Act::Leave => self.players.set_present(seat, false),
            Act::Move { x, y } => self.step(seat, now_ms, x, y)?,
            Act::Dig => self.dig(seat, now_ms, outcome)?,
            Act::PickUp => self.pick_up(seat, now_ms, ruleset, outcome)?,
            Act::UsePowerUp { power_up, target } => {
                self.use_power_up(seat, now_ms, ruleset, power_up, target, outcome)?;
            }
        }
        Ok(())
    }

    /// Lets a player in. One who is there already stays as they are, one who left comes back as they were.
    pub(super) fn join(&mut self, id: PlayerId, seat: Option<Seat>) -> Result<Seat, Rejection> {
        if let Some(seat) = seat.filter(|seat| self.players.record(*seat).is_present()) {
            return Ok(seat);
        }
        if self.players.present() >= self.present_max {
            return Err(Rejection::HuntFull);
        }
        let seat = match seat {
            Some(back) => back,
            None if self.players.len() >= self.ever_joined_max => return Err(Rejection::HuntFull),
            None => {
                let place = self.size.draw_place(&mut self.random);
                self.players
                    .add(id, PlayerRecord::at(place), Remembered::default())
            }
        };
        self.players.set_present(seat, true);
        Ok(seat)
    }

    fn step(&mut self, seat: Seat, now_ms: u32, x: u32, y: u32) -> Result<(), Rejection> {
        let to = self.size.place_at(x, y).ok_or(Rejection::OutOfBounds)?;
        let record = self.unfrozen(seat, now_ms)?;
        let reach = record.on(TimedKind::Speed, now_ms).unwrap_or(1);
        if record.place.distance(to) > reach.into() {
            return Err(Rejection::TooFar);
        }
        self.players.change(seat).place = to;
        Ok(())
    }

    fn dig(&mut self, seat: Seat, now_ms: u32, outcome: &mut Outcome) -> Result<(), Rejection> {
        let record = self.unfrozen(seat, now_ms)?;
        let place = record.place;
        match record.on(TimedKind::Magnet, now_ms) {
            None => outcome
                .treasures
                .extend(self.treasures.at(place).map(Treasure::from)),
            Some(radius) => self.list_treasures(place, radius, outcome),
        }
        if outcome.treasures.is_empty() {
            return Err(Rejection::NothingHere);
        }
        let loot_percent = record.on(TimedKind::Loot, now_ms).map_or(100, u32::from);
        let mut worth = 0;
        for treasure in &mut outcome.treasures {
            self.treasures.take(Place {
                x: treasure.x,
                y: treasure.y,
            });
            treasure.value = treasure.value * loot_percent / 100;
            worth += u64::from(treasure.value);
        }
        let record = self.players.change(seat);
        record.score += worth;
        record.clear(TimedKind::Cloak);
        Ok(())
    }

    fn pick_up(
        &mut self,
        seat: Seat,
        now_ms: u32,
        ruleset: &Ruleset,
        outcome: &mut Outcome,
    ) -> Result<(), Rejection> {
        let record = self.unfrozen(seat, now_ms)?;
        let cache = self.caches.at(record.place).ok_or(Rejection::NothingHere)?;
        let power_up = cache.meaning as u8;
        if record.inventory.count(power_up) >= HELD_MAX {
            return Err(Rejection::InventoryFull);
        }
        self.caches.take(cache.place);
        self.players.change(seat).inventory.add(power_up);
        outcome.picked_up = Some(ruleset.power_ups()[usize::from(power_up)].name.clone());
        Ok(())
    }

    /// A player's record, if the player can act.
    pub(super) fn unfrozen(&self, seat: Seat, now_ms: u32) -> Result<&PlayerRecord, Rejection> {
        let record = self.players.record(seat);
        match record.on(TimedKind::Freeze, now_ms) {
            Some(_) => Err(Rejection::Frozen),
            None => Ok(record),
        }
    }

    /// Lists the treasures within a radius, the first 64 by cell.
    pub(super) fn list_treasures(&self, centre: Place, radius: u8, outcome: &mut Outcome) {
        let within = self.treasures.within(centre, radius).take(REACHED_MAX);
        outcome.treasures.extend(within.map(Treasure::from));
    }
}

impl From<Found> for Treasure {
    fn from(found: Found) -> Self {
        Self {
            x: found.place.x,
            y: found.place.y,
            value: found.meaning,
        }
    }
}

//! Power-ups: who may use one on whom, and what each effect does to whom it reaches.

use super::{
    EffectKind, Impact, ImpactResult, Outcome, PlayerId, Rejection,
    actions::REACHED_MAX,
    map::Place,
    players::Seat,
    ruleset::{Effect, PowerUp, Ruleset, Target, Timed, TimedKind},
    world::World,
};

/// Where an effect ends up: reflection can swap its two sides.
struct Landing {
    on: Seat,
    author: Seat,
    result: ImpactResult,
}

impl World {
    pub(super) fn use_power_up(
        &mut self,
        user: Seat,
        now_ms: u32,
        ruleset: &Ruleset,
        name: &str,
        target: Option<PlayerId>,
        outcome: &mut Outcome,
    ) -> Result<(), Rejection> {
        let (index, power_up) = ruleset.find(name).ok_or(Rejection::UnknownPowerUp)?;
        self.check_use(user, now_ms, index, power_up)?;
        let targets = self.targets(user, now_ms, power_up.target, target)?;

        let record = self.players.change(user);
        record.inventory.spend(index);
        if power_up.cooldown_ms > 0 {
            record.cooldown_until_ms = now_ms + power_up.cooldown_ms;
        }
        if power_up.is_hostile() {
            record.clear(TimedKind::Cloak);
        }
        for effect in &power_up.effects {
            for target in targets.as_slice() {
                self.resolve(effect, user, *target, now_ms, outcome);
            }
        }
        Ok(())
    }

    fn check_use(
        &self,
        user: Seat,
        now_ms: u32,
        index: u8,
        power_up: &PowerUp,
    ) -> Result<(), Rejection> {
        let record = self.players.record(user);
        if record.inventory.count(index) == 0 {
            return Err(Rejection::NotHeld);
        }
        if record.cooldown_until_ms > now_ms {
            return Err(Rejection::OnCooldown);
        }
        if !power_up.usable_while_frozen {
            self.unfrozen(user, now_ms)?;
        }
        Ok(())
    }

    /// Whom a use reaches, fixed before anything changes.
    fn targets(
        &self,
        user: Seat,
        now_ms: u32,
        target: Target,
        named: Option<PlayerId>,
    ) -> Result<Targets, Rejection> {
        match (target, named) {
            (Target::User, None) => Ok(Targets::One(user)),
            (Target::User, Some(id)) if id == self.players.id(user) => Ok(Targets::One(user)),
            (Target::Player { range }, Some(id)) => {
                self.target(user, now_ms, id, range).map(Targets::One)
            }
            (Target::Area { radius }, None) => Ok(Targets::Many(self.area(user, now_ms, radius))),
            (Target::User | Target::Area { .. }, Some(_)) | (Target::Player { .. }, None) => {
                Err(Rejection::InvalidTarget)
            }
        }
    }

    fn target(&self, user: Seat, now_ms: u32, id: PlayerId, range: u32) -> Result<Seat, Rejection> {
        let target = self
            .players
            .find(id)
            .filter(|target| *target != user && self.players.record(*target).is_present())
            .ok_or(Rejection::InvalidTarget)?;
        let record = self.players.record(target);
        if record.on(TimedKind::Cloak, now_ms).is_some() {
            return Err(Rejection::TargetHidden);
        }
        if range != 0 && record.place.distance(self.players.record(user).place) > range {
            return Err(Rejection::OutOfRange);
        }
        Ok(target)
    }

    /// All others in reach whom one can see, the first 64 by id.
    fn area(&self, user: Seat, now_ms: u32, radius: u32) -> Vec<Seat> {
        let centre = self.players.record(user).place;
        let is_reached = |seat: &Seat| {
            let record = self.players.record(*seat);
            *seat != user
                && record.is_present()
                && record.place.distance(centre) <= radius
                && record.on(TimedKind::Cloak, now_ms).is_none()
        };
        let mut reached: Vec<_> = self.players.seats().filter(is_reached).collect();
        reached.sort_unstable_by_key(|seat| self.players.id(*seat));
        reached.truncate(REACHED_MAX);
        reached
    }

    fn resolve(
        &mut self,
        effect: &Effect,
        user: Seat,
        target: Seat,
        now_ms: u32,
        outcome: &mut Outcome,
    ) {
        let landing = if effect.is_hostile() {
            self.land_hostile(user, target, now_ms)
        } else {
            Landing {
                on: target,
                author: user,
                result: ImpactResult::Applied,
            }
        };
        let kind = effect.kind();
        let impacts = &mut outcome.impacts;
        if landing.result == ImpactResult::Blocked {
            impacts.push(self.impact(landing.on, kind, landing.result));
            return;
        }
        match effect {
            Effect::Timed(timed) => impacts.push(self.set_timed(timed, &landing, now_ms)),
            Effect::Steal { percent } => impacts.extend(self.steal(&landing, *percent)),
            Effect::Swap => impacts.extend(self.swap(&landing)),
            Effect::Teleport => {
                self.players.change(landing.on).place = self.size.draw_place(&mut self.random);
                impacts.push(self.impact(landing.on, kind, landing.result));
            }
            Effect::Reveal { radius } => {
                impacts.push(self.impact(landing.on, kind, landing.result));
                self.list_treasures(self.place(landing.on), *radius, outcome);
            }
            Effect::Cleanse => {
                self.players.change(landing.on).clear(TimedKind::Freeze);
                impacts.push(self.impact(landing.on, kind, landing.result));
            }
        }
    }

    /// A mirror turns a hostile effect on whoever sent it, once; a shield blocks it, on either side.
    fn land_hostile(&mut self, user: Seat, target: Seat, now_ms: u32) -> Landing {
        if self
            .players
            .record(target)
            .on(TimedKind::Reflect, now_ms)
            .is_some()
        {
            self.players.change(target).clear(TimedKind::Reflect);
            let result = self
                .shielded(user, now_ms)
                .unwrap_or(ImpactResult::Reflected);
            return Landing {
                on: user,
                author: target,
                result,
            };
        }
        let result = self
            .shielded(target, now_ms)
            .unwrap_or(ImpactResult::Applied);
        Landing {
            on: target,
            author: user,
            result,
        }
    }

    /// Spends a charge of a shield that is on.
    fn shielded(&mut self, seat: Seat, now_ms: u32) -> Option<ImpactResult> {
        self.players.record(seat).on(TimedKind::Shield, now_ms)?;
        self.players.change(seat).spend_charge();
        Some(ImpactResult::Blocked)
    }

    fn set_timed(&mut self, timed: &Timed, landing: &Landing, now_ms: u32) -> Impact {
        let record = self.players.change(landing.on);
        if !record.set_timed(timed, now_ms) {
            return self.impact(landing.on, timed.kind.kind(), ImpactResult::Ignored);
        }
        let (magnitude, until_ms) = record.slot(timed.kind).unwrap_or_default();
        Impact {
            magnitude,
            until_ms,
            ..self.impact(landing.on, timed.kind.kind(), landing.result)
        }
    }

    fn steal(&mut self, landing: &Landing, percent: u8) -> [Impact; 2] {
        let score = self.players.record(landing.on).score;
        let loot = (u128::from(score) * u128::from(percent) / 100) as u64;
        self.players.change(landing.on).score -= loot;
        self.players.change(landing.author).score += loot;
        let change = loot as i64;
        let impact = |seat, score_change| Impact {
            score_change,
            ..self.impact(seat, EffectKind::Steal, landing.result)
        };
        [impact(landing.on, -change), impact(landing.author, change)]
    }

    fn swap(&mut self, landing: &Landing) -> [Impact; 2] {
        let (on, author) = (self.place(landing.on), self.place(landing.author));
        self.players.change(landing.on).place = author;
        self.players.change(landing.author).place = on;
        [landing.on, landing.author].map(|seat| self.impact(seat, EffectKind::Swap, landing.result))
    }

    fn place(&self, seat: Seat) -> Place {
        self.players.record(seat).place
    }

    /// An impact on a player, as that player is now.
    fn impact(&self, seat: Seat, effect: EffectKind, result: ImpactResult) -> Impact {
        let Place { x, y } = self.place(seat);
        let player = self.players.id(seat);
        Impact {
            player,
            effect,
            result,
            score_change: 0,
            x,
            y,
            magnitude: 0,
            until_ms: 0,
        }
    }
}

/// The common cases reach one player, and allocate nothing for it.
enum Targets {
    One(Seat),
    Many(Vec<Seat>),
}

impl Targets {
    fn as_slice(&self) -> &[Seat] {
        match self {
            Self::One(seat) => std::slice::from_ref(seat),
            Self::Many(seats) => seats,
        }
    }
}

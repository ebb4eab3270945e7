//! A hunt set up by hand: a snapshot with the players, treasures and caches that an example needs.

use std::sync::Arc;

use player_state::engine::{
    CacheSnapshot, EffectKind, Ended, Hunt, HuntId, Impact, ImpactResult, Outcome, PlayerId,
    PlayerSnapshot, RawAction, RawCommand, Rejection, RequestId, Ruleset, Settings, Snapshot,
    TimedSnapshot, Treasure, Verdict,
};

/// When every staged hunt starts, in Unix milliseconds. Examples tell time since then.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// A map of 20 × 20, room for 6 players, 100 s.
pub(crate) fn settings() -> Settings {
    Settings {
        seed: 42,
        width: 20,
        height: 20,
        treasures: 200,
        caches: 200,
        max_players: 6,
        duration_ms: 100_000,
        ruleset: String::new(),
    }
}

pub(crate) fn hunt_id() -> HuntId {
    HuntId::parse("staged").expect("valid")
}

pub(crate) fn player_id(id: u64) -> PlayerId {
    PlayerId::new(id).expect("not 0")
}

/// A player of a staged hunt: present, at (0, 0), with nothing, unless told otherwise.
pub(crate) struct Player(PlayerSnapshot, Arc<Ruleset>);

impl Player {
    pub(crate) fn at(mut self, x: u32, y: u32) -> Self {
        (self.0.x, self.0.y) = (x, y);
        self
    }

    pub(crate) fn score(mut self, score: u64) -> Self {
        self.0.score = score;
        self
    }

    pub(crate) fn version(mut self, version: u32) -> Self {
        self.0.version = version;
        self
    }

    pub(crate) fn absent(mut self) -> Self {
        self.0.present = false;
        self
    }

    pub(crate) fn holds(mut self, power_up: &str, count: u32) -> Self {
        let index = self.1.names().position(|name| &**name == power_up);
        self.0.inventory[index.expect("a power-up of the ruleset")] = count;
        self
    }

    /// An effect that is on until `until_ms`.
    pub(crate) fn under(mut self, kind: EffectKind, magnitude: u32, until_ms: u32) -> Self {
        self.0.effects.push(TimedSnapshot {
            kind,
            magnitude,
            until_ms,
        });
        self.0.effects.sort_by_key(|effect| effect.kind);
        self
    }

    pub(crate) fn cooling_until(mut self, until_ms: u32) -> Self {
        self.0.cooldown_until_ms = until_ms;
        self
    }
}

/// What an example begins with.
pub(crate) struct Setup {
    pub(crate) snapshot: Snapshot,
    ruleset: Arc<Ruleset>,
}

impl Setup {
    pub(crate) fn classic() -> Self {
        Self::with(Ruleset::classic())
    }

    /// A ruleset of an example's own.
    pub(crate) fn of_rules(text: &str) -> Self {
        Self::with(Ruleset::parse("example.toml", text.as_bytes()).expect("a valid ruleset"))
    }

    fn with(ruleset: Ruleset) -> Self {
        let ruleset = Arc::new(ruleset);
        let hunt = Hunt::create(hunt_id(), settings(), ruleset.clone(), 1, START_MS);
        let mut snapshot = hunt.expect("valid settings").snapshot();
        snapshot.treasures.clear();
        snapshot.caches.clear();
        Self { snapshot, ruleset }
    }

    pub(crate) fn player(mut self, id: u64, set: impl FnOnce(Player) -> Player) -> Self {
        let blank = PlayerSnapshot {
            player: player_id(id),
            present: true,
            x: 0,
            y: 0,
            score: 0,
            version: 0,
            inventory: vec![0; self.ruleset.names().len()],
            effects: Vec::new(),
            cooldown_until_ms: 0,
            remembered: Vec::new(),
        };
        self.snapshot
            .players
            .push(set(Player(blank, self.ruleset.clone())).0);
        self.snapshot.players.sort_by_key(|player| player.player);
        self
    }

    pub(crate) fn treasures(mut self, treasures: &[(u16, u16, u32)]) -> Self {
        let treasure = |&(x, y, value)| Treasure { x, y, value };
        self.snapshot.treasures = treasures.iter().map(treasure).collect();
        self.snapshot
            .treasures
            .sort_by_key(|treasure| (treasure.y, treasure.x));
        self
    }

    pub(crate) fn caches(mut self, caches: &[(u16, u16, u32)]) -> Self {
        let cache = |&(x, y, power_up)| CacheSnapshot { x, y, power_up };
        self.snapshot.caches = caches.iter().map(cache).collect();
        self.snapshot.caches.sort_by_key(|cache| (cache.y, cache.x));
        self
    }

    pub(crate) fn begin(self) -> Stage {
        let hunt = Hunt::restore(&self.snapshot, self.ruleset).expect("a valid snapshot");
        Stage {
            hunt,
            next_request: 1,
        }
    }
}

/// A staged hunt, under way.
pub(crate) struct Stage {
    pub(crate) hunt: Hunt,
    next_request: u64,
}

impl Stage {
    /// Plays one action of a player at `now_ms` since the start, under the next request id.
    pub(crate) fn play(&mut self, now_ms: u32, player: u64, action: RawAction<'_>) -> Outcome {
        let request = self.next_request;
        self.next_request += 1;
        let (outcome, ended) = self.ask(now_ms, command(player, request, action));
        assert_eq!(ended, None, "the hunt's time is not over");
        outcome
    }

    /// Plays an action that must be applied.
    pub(crate) fn applied(&mut self, now_ms: u32, player: u64, action: RawAction<'_>) -> Outcome {
        let outcome = self.play(now_ms, player, action);
        assert!(
            matches!(outcome.verdict, Verdict::Applied { .. }),
            "{action:?}: {outcome:?}"
        );
        outcome
    }

    /// Plays an action that must be rejected, which leaves no trace.
    pub(crate) fn rejected(
        &mut self,
        now_ms: u32,
        player: u64,
        action: RawAction<'_>,
    ) -> Rejection {
        let before = self.hunt.snapshot();
        let outcome = self.play(now_ms, player, action);
        assert_eq!(self.hunt.snapshot(), before, "a rejection leaves no trace");
        assert_eq!(
            Outcome {
                player: None,
                ..outcome.clone()
            },
            Outcome::bare(outcome.verdict)
        );
        let Verdict::Rejected(rejection) = outcome.verdict else {
            panic!("{action:?}: {outcome:?}")
        };
        rejection
    }

    pub(crate) fn uses(
        &mut self,
        now_ms: u32,
        player: u64,
        power_up: &str,
        target: u64,
    ) -> Vec<Impact> {
        self.applied(now_ms, player, RawAction::UsePowerUp { power_up, target })
            .impacts
    }

    /// Asks in full control of the command.
    pub(crate) fn ask(&mut self, now_ms: u32, raw: RawCommand<'_>) -> (Outcome, Option<Ended>) {
        let mut outcome = Outcome::default();
        let at_ms = START_MS + i64::from(now_ms);
        let command = raw.check().expect("well-formed");
        let ended = self
            .hunt
            .apply(at_ms, &command, &mut outcome)
            .expect("time does not fall");
        (outcome, ended)
    }

    /// A player as a snapshot has them.
    pub(crate) fn player(&self, id: u64) -> PlayerSnapshot {
        let players = self.hunt.snapshot().players;
        players
            .into_iter()
            .find(|player| player.player.get() == id)
            .expect("a known player")
    }

    /// Magnitude and end of an effect, as last set.
    pub(crate) fn slot(&self, id: u64, kind: EffectKind) -> Option<(u32, u32)> {
        let effects = self.player(id).effects;
        let effect = effects.iter().find(|effect| effect.kind == kind)?;
        Some((effect.magnitude, effect.until_ms))
    }
}

/// A command of the staged hunt.
pub(crate) fn command(player: u64, request: u64, action: RawAction<'_>) -> RawCommand<'_> {
    assert!(RequestId::new(request).is_some());
    RawCommand {
        hunt_id: "staged",
        player_id: player,
        request_id: request,
        expected_version: 0,
        epoch: 0,
        action: Some(action),
    }
}

/// The impact of an effect that sets no slot and moves no score.
pub(crate) fn impact(
    player: u64,
    effect: EffectKind,
    result: ImpactResult,
    place: (u16, u16),
) -> Impact {
    let player = player_id(player);
    Impact {
        player,
        effect,
        result,
        score_change: 0,
        x: place.0,
        y: place.1,
        magnitude: 0,
        until_ms: 0,
    }
}

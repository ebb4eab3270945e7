-- Numbers of 64 bits are kept as SQLite's signed ones, bit for bit.

CREATE TABLE feeds (
  name       TEXT PRIMARY KEY,
  cursor     BLOB NOT NULL,
  records    INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  gaps       INTEGER NOT NULL,
  newest_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hunts (
  hunt_id      TEXT PRIMARY KEY,
  high         INTEGER NOT NULL,
  missing      TEXT    NOT NULL, -- JSON: [{"first":5,"last":7}, …]
  waiting      INTEGER NOT NULL, -- how many sequences those are
  given_up     INTEGER NOT NULL,
  records      INTEGER NOT NULL,
  duplicates   INTEGER NOT NULL,
  holes        INTEGER NOT NULL,
  played       INTEGER NOT NULL,
  epoch        INTEGER NOT NULL,
  epoch_first  INTEGER NOT NULL,
  forks        INTEGER NOT NULL,
  applied      INTEGER NOT NULL,
  players      INTEGER NOT NULL,
  dug          INTEGER NOT NULL,
  scores       INTEGER NOT NULL,
  ruleset      TEXT    NOT NULL,
  starts_at_ms INTEGER NOT NULL,
  ended_at_ms  INTEGER NOT NULL,
  final        TEXT    NOT NULL, -- JSON; null while it goes on
  disagrees    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hunts_waiting ON hunts (waiting) WHERE waiting <> 0;

CREATE TABLE seats (
  hunt_id       TEXT    NOT NULL,
  player_id     INTEGER NOT NULL,
  applied       INTEGER NOT NULL,
  joins         INTEGER NOT NULL,
  moves         INTEGER NOT NULL,
  digs          INTEGER NOT NULL,
  treasures     INTEGER NOT NULL,
  dug           INTEGER NOT NULL,
  picked_up     INTEGER NOT NULL,
  used          INTEGER NOT NULL,
  hits_given    INTEGER NOT NULL,
  hits_received INTEGER NOT NULL,
  hits_blocked  INTEGER NOT NULL,
  score         INTEGER NOT NULL,
  marks         INTEGER NOT NULL,
  PRIMARY KEY (hunt_id, player_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX seats_score ON seats (score);

CREATE TABLE players (
  player_id     INTEGER PRIMARY KEY,
  hunts         INTEGER NOT NULL,
  applied       INTEGER NOT NULL,
  joins         INTEGER NOT NULL,
  moves         INTEGER NOT NULL,
  digs          INTEGER NOT NULL,
  treasures     INTEGER NOT NULL,
  dug           INTEGER NOT NULL,
  picked_up     INTEGER NOT NULL,
  used          INTEGER NOT NULL,
  hits_given    INTEGER NOT NULL,
  hits_received INTEGER NOT NULL,
  hits_blocked  INTEGER NOT NULL,
  score         INTEGER NOT NULL
) STRICT;
CREATE INDEX players_score ON players (score);
CREATE INDEX players_treasures ON players (treasures);
CREATE INDEX players_hits_given ON players (hits_given);

CREATE TABLE power_ups (
  player_id INTEGER NOT NULL,
  name      TEXT    NOT NULL,
  picked    INTEGER NOT NULL,
  used      INTEGER NOT NULL,
  PRIMARY KEY (player_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE alarms (
  id       INTEGER PRIMARY KEY,
  at_ms    INTEGER NOT NULL,
  kind     TEXT    NOT NULL,
  feed     TEXT    NOT NULL,
  hunt_id  TEXT    NOT NULL,
  sequence INTEGER NOT NULL,
  text     TEXT    NOT NULL
) STRICT;

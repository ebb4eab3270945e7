package tally

// Hunt is what is known of one hunt.
type Hunt struct {
	ID string
	Sequences
	Records    uint64 // counted
	Duplicates uint64 // arrived again, not counted
	Holes      uint64 // opened, be they filled by now or not

	// Played is the highest sequence counted but for changes of owner: an owner that
	// restarts goes on with the hunts that have ended too, so that they can be read.
	Played uint64

	Epoch      uint64 // the highest seen
	EpochFirst uint64 // the lowest sequence seen of it
	Forks      uint64 // records by which two epochs claim the same place

	Applied uint64 // commands
	Players uint64 // who ever joined
	Dug     uint64 // worth of what was dug up
	Scores  int64  // of all players, added up

	Ruleset    string // by name, as asked for
	StartsAtMs int64  // Unix; 0: its first record was not seen
	EndedAtMs  int64  // Unix; 0: it goes on
	Final      *Final // what the end's record says; nil: it goes on

	// Disagrees says that what the records say was added up, and is not so. Once
	// told it stays.
	Disagrees bool
}

// Final is how a hunt ended, by the record of that.
type Final struct {
	Standings []Standing `json:"standings"` // the best 100
	Players   uint32     `json:"players"`   // how many ever joined
	Sequence  uint64     `json:"sequence"`  // of that record
}

// Standing is a player's place at the end.
type Standing struct {
	Player uint64 `json:"player_id,string"`
	Score  uint64 `json:"score"`
}

// Counts is what a player did and what was done to them.
type Counts struct {
	Applied   uint64 `json:"applied"` // commands
	Joins     uint64 `json:"joins"`   // of these
	Moves     uint64 `json:"moves"`
	Digs      uint64 `json:"digs"`
	Treasures uint64 `json:"treasures"` // dug up
	Dug       uint64 `json:"worth_dug"` // what these were worth
	PickedUp  uint64 `json:"picked_up"` // power-ups
	Used      uint64 `json:"used"`

	// Hits are hostile effects: a freeze, a steal, a swap. One that was reflected
	// is received by who used it, and given by nobody.
	HitsGiven    uint64 `json:"hits_given"`    // that landed on somebody else
	HitsReceived uint64 `json:"hits_received"` // that landed on this player
	HitsBlocked  uint64 `json:"hits_blocked"`  // by this player's shield

	Score int64 `json:"score"` // below 0 only while records are missing
}

// add adds what another has.
func (c *Counts) add(other Counts) {
	c.Applied += other.Applied
	c.Joins += other.Joins
	c.Moves += other.Moves
	c.Digs += other.Digs
	c.Treasures += other.Treasures
	c.Dug += other.Dug
	c.PickedUp += other.PickedUp
	c.Used += other.Used
	c.HitsGiven += other.HitsGiven
	c.HitsReceived += other.HitsReceived
	c.HitsBlocked += other.HitsBlocked
	c.Score += other.Score
}

// Seat is one player in one hunt.
type Seat struct {
	Hunt   string
	Player uint64
	Counts
	// Marks is the wrapping sum of audit.Mark over the commands applied, Joins
	// apart: it tells two sets of commands apart in whatever order they came, in
	// eight bytes.
	Marks uint64
}

// Player is one player in all hunts.
type Player struct {
	ID    uint64
	Hunts uint64 // joined
	Counts
}

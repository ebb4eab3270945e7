package playerstate

// The bounds of the schema, one row each. They are the same for every engine,
// client and server; what only one part bounds stands in that part's Limits.
const (
	// MaxBatch is the most commands of one ApplyBatch.
	MaxBatch = 1024
	// MaxMessageBytes is the most bytes of one message, in either direction.
	MaxMessageBytes = 256 << 10
	// MaxBatchOutcomeBytes is where a batch's outcomes are cut: the commands
	// after it are refused OVERLOADED, unapplied.
	MaxBatchOutcomeBytes = 192 << 10

	// MaxHuntIDBytes is the longest hunt_id.
	MaxHuntIDBytes = 64
	// MaxLedgerIDBytes is the longest ledger_id.
	MaxLedgerIDBytes = 128
	// MaxPowerUpBytes is the longest name of a power-up.
	MaxPowerUpBytes = 32

	// MaxSideCells is the largest width and height.
	MaxSideCells = 4096
	// MaxPlaced is the most treasures, and the most caches, of a hunt.
	MaxPlaced = 65_536
	// MaxPlayers is the most players present in a hunt at once. Twice as many
	// may ever join it.
	MaxPlayers = 10_000
	// MaxDurationMs is the longest hunt.
	MaxDurationMs = 1 << 31

	// MaxStandings is the most standings of one GetHunt.
	MaxStandings = 1000
	// MaxReadRecords is the most records of one ReadRecords.
	MaxReadRecords = 10_000
	// MaxReadWaitMs is the longest wait of one ReadRecords.
	MaxReadWaitMs = 30_000
	// MaxListHunts is the most hunts of one ListHunts.
	MaxListHunts = 1000
	// DefaultReadBytes is where a ReadRecords reply ends that asks for no
	// max_bytes, and the most that it may ask for.
	DefaultReadBytes = 192 << 10
)

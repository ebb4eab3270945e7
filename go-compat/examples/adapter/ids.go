package adapter

import (
	"encoding/binary"

	"treasurehunt.example/go-compat/examples/adapter/oldengine"
)

// uuidOf is the old engine's id of a player: the schema's number in the last eight
// bytes of a UUID marked as of version 8, ids of one's own making (the variant's bits
// are the number's). So it is found again without a table. Where the UUIDs were there
// first, the number is the service's to give and to keep.
func uuidOf(playerID uint64) (id oldengine.UUID) {
	id[6] = 0x80 // the version
	binary.BigEndian.PutUint64(id[8:], playerID)
	return id
}

func playerOf(id oldengine.UUID) uint64 { return binary.BigEndian.Uint64(id[8:]) }

package rules

import (
	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// The seeds under which the parts of a snapshot are hashed.
const (
	seedHead = iota
	seedPlayer
	seedTreasure
	seedCache
)

// digest is the wrapping sum of the hashes of a hunt's parts, but for the head,
// which changes with every record and is hashed when the sum is asked for.
// Players that changed are hashed anew at that time too, once however often
// they changed, so that the sum costs nothing on the way of a command.
type digest struct {
	sum     uint64
	players []uint64 // the hash of each player that sum holds
	stale   []int    // places in the roster that changed since
	isStale []bool

	hash  xxhash.Digest
	bytes []byte
}

// part hashes the canonical bytes of one message under a seed.
func (d *digest) part(seed uint64, part proto.Message) uint64 {
	d.bytes = canonical(d.bytes[:0], part)
	d.hash.ResetWithSeed(seed)
	_, _ = d.hash.Write(d.bytes) // never fails, by its documentation
	return d.hash.Sum64()
}

// canonical appends the bytes of a message: fields by number, defaults left out,
// numbers packed. Nothing in a hunt's messages fails to marshal: no required
// field, and every string is checked UTF-8 or written here.
func canonical(to []byte, m proto.Message) []byte {
	bytes, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(to, m)
	if err != nil {
		panic("rules: a hunt's own message does not marshal: " + err.Error())
	}
	return bytes
}

// join makes room for a player who is new.
func (d *digest) join(place int) {
	d.players = append(d.players, 0)
	d.isStale = append(d.isStale, false)
	d.touch(place)
}

// touch says that a player changes.
func (d *digest) touch(place int) {
	if !d.isStale[place] {
		d.isStale[place] = true
		d.stale = append(d.stale, place)
	}
}

// Digest sums up the state as the schema describes at HuntSnapshot. Its cost
// goes with the players who changed since it was last asked for.
func (h *Hunt) Digest() uint64 {
	d := &h.digest
	for _, place := range d.stale {
		fresh := d.part(seedPlayer, h.playerSnapshot(place))
		d.sum += fresh - d.players[place]
		d.players[place] = fresh
		d.isStale[place] = false
	}
	d.stale = d.stale[:0]
	head := h.head()
	head.Epoch = 0
	return d.sum + d.part(seedHead, head)
}

// place and take keep the sum up for treasures and caches.
func (d *digest) placeAll(b board, seed uint64, things *placed) {
	for i := range things.cells {
		d.sum += d.part(seed, thingOf(b, seed, things, i))
	}
}

func (d *digest) take(b board, seed uint64, things *placed, i int) {
	d.sum -= d.part(seed, thingOf(b, seed, things, i))
}

func thingOf(b board, seed uint64, things *placed, i int) proto.Message {
	x, y := b.place(things.cells[i])
	if seed == seedTreasure {
		return &pb.Treasure{X: x, Y: y, Value: things.values[i]}
	}
	return &pb.Cache{X: x, Y: y, PowerUp: things.values[i]}
}

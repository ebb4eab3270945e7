// Package legacypb is the schema's messages as an old service has them: types of
// gogo/protobuf, with its options for ids, times and bytes of one's own type,
// and for parts that are values instead of pointers.
package legacypb

// Types of one's own for what the schema has as plain numbers and strings
// (casttype: the bytes are those of the plain type).
type (
	HuntID     string
	PlayerID   uint64
	RequestID  uint64
	UnixMillis int64
	Count      uint32
)

// Opaque is bytes that nobody looks into, a cursor or a ruleset's text: a type that
// writes and reads itself (customtype, which gogo 1.3 takes for bytes alone).
type Opaque []byte

// Size is how many bytes Marshal gives.
func (o Opaque) Size() int { return len(o) }

// Marshal gives the bytes.
func (o Opaque) Marshal() ([]byte, error) { return o, nil }

// MarshalTo writes them to where there is room for Size bytes.
func (o Opaque) MarshalTo(to []byte) (int, error) { return copy(to, o), nil }

// Unmarshal takes a copy of the bytes.
func (o *Opaque) Unmarshal(bytes []byte) error {
	*o = append(Opaque(nil), bytes...)
	return nil
}

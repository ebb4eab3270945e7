package wiretest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// unusual is input that no codec of the three writes, or that only a newer schema
// does. What became of it is known by what is written again.
type unusual struct {
	what    string
	message protoreflect.Name
	bytes   []byte
	becomes map[string]string // bytes written again, and what that means
}

// The pieces that the inputs are made of. An unknown number is one that the schema
// does not have.
var (
	unknown = field(1000, varint(7))
	seven   = field(1, fixed64(7)) // of Standing: player_id 7
	join    = field(10, message()) // of Command
)

// Those of which the three make different things come first.
var unusualInputs = []unusual{
	{"unknown field", "Standing", slices.Concat(seven, unknown), map[string]string{
		string(slices.Concat(seven, unknown)): "kept", string(seven): "dropped",
	}},
	{"unknown field of a nested message", "ApplyRequest", field(1, message(join, unknown)), map[string]string{
		string(field(1, message(join, unknown))): "kept", string(field(1, message(join))): "dropped",
	}},
	{"unknown arm of a oneof", "Command", slices.Concat(field(3, fixed64(7)), field(16, message())), map[string]string{
		string(slices.Concat(field(3, fixed64(7)), field(16, message()))): "kept as an unknown field", string(field(3, fixed64(7))): "dropped: no arm is set",
	}},
	{"unknown group", "Standing", slices.Concat(seven, group(1000, unknown)), map[string]string{
		string(slices.Concat(seven, group(1000, unknown))): "kept", string(seven): "dropped",
	}},
	{"known field, another wire type", "Standing", slices.Concat(seven, field(2, fixed64(5))), map[string]string{
		string(slices.Concat(seven, field(2, fixed64(5)))): "kept as an unknown field", string(seven): "dropped",
	}},
	{"string that is not UTF-8", "OwnerChanged", field(1, text("\xff")), map[string]string{
		string(field(1, text("\xff"))): "kept as it is",
	}},
	{"number over 64 bits", "Standing", field(2, value{[]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), protowire.VarintType}), map[string]string{
		string(field(2, varint(1<<63-1))): "its low 64 bits",
	}},
	{"one arm of a oneof twice", "Command", slices.Concat(field(12, message(field(1, varint(5)))), field(12, message(field(2, varint(6))))), map[string]string{
		string(field(12, message(field(1, varint(5)), field(2, varint(6))))): "merged", string(field(12, message(field(2, varint(6))))): "the last counts",
	}},
	{"unknown enum number, 99", "TimedEffect", field(1, varint(99)), map[string]string{
		string(field(1, varint(99))): "kept",
	}},
	{"unknown enum number, -1", "TimedEffect", field(1, varint(1<<64-1)), map[string]string{
		string(field(1, varint(1<<64-1))): "kept",
	}},
	{"unknown enum number, 2^32 + 1", "TimedEffect", field(1, varint(1<<32+1)), map[string]string{
		string(field(1, varint(1))): "its low 32 bits",
	}},
	{"default that is written out", "Standing", slices.Concat(seven, field(2, varint(0))), map[string]string{
		string(seven): "read, left out",
	}},
	{"number in more bytes than it needs", "Standing", field(2, value{[]byte{0x85, 0x00}, protowire.VarintType}), map[string]string{
		string(field(2, varint(5))): "read, written short",
	}},
	{"uint32 of 2^32 + 5", "Move", field(1, varint(1<<32+5)), map[string]string{
		string(field(1, varint(5))): "its low 32 bits",
	}},
	{"bool of 2", "PlayerSnapshot", field(2, varint(2)), map[string]string{
		string(field(2, varint(1))): "true",
	}},
	{"number of eleven bytes", "Standing", field(2, value{[]byte("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), protowire.VarintType}), nil},
	{"number twice", "Standing", slices.Concat(field(2, varint(5)), field(2, varint(6))), map[string]string{
		string(field(2, varint(6))): "the last counts",
	}},
	{"message twice", "CreateHuntRequest", slices.Concat(field(2, message(field(2, varint(5)))), field(2, message(field(3, varint(6))))), map[string]string{
		string(field(2, message(field(2, varint(5)), field(3, varint(6))))): "merged",
	}},
	{"two arms of a oneof", "Command", slices.Concat(join, field(11, message())), map[string]string{
		string(field(11, message())): "the last counts",
	}},
	{"repeated numbers, not packed", "PlayerSnapshot", slices.Concat(field(7, varint(5)), field(7, varint(6))), map[string]string{
		string(field(7, text("\x05\x06"))): "read, written packed",
	}},
	{"repeated numbers, packed in pieces", "PlayerSnapshot", slices.Concat(field(7, text("\x05")), field(7, varint(6)), field(7, text("\x07"))), map[string]string{
		string(field(7, text("\x05\x06\x07"))): "joined",
	}},
	{"repeated numbers, packed, none", "PlayerSnapshot", field(7, text("")), map[string]string{
		"": "read, left out",
	}},
	{"fields in another order", "Standing", slices.Concat(field(2, varint(5)), seven), map[string]string{
		string(slices.Concat(seven, field(2, varint(5)))): "read, written by number",
	}},
	{"field number 0", "Standing", field(0, varint(1)), nil},
	{"cut off within a number", "Standing", seven[:4], nil},
	{"length over what is there", "OwnerChanged", field(1, text("abc"))[:4], nil},
	{"length of nearly 2^64", "OwnerChanged", field(1, value{varint(1<<64 - 1).bytes, protowire.BytesType}), nil},
}

// TestUnusualInputIsReadAsTheTableSays holds docs/wire.md against the codecs.
func TestUnusualInputIsReadAsTheTableSays(t *testing.T) {
	all := codecs(t)
	var table strings.Builder
	table.WriteString("| input |")
	for _, c := range all {
		fmt.Fprintf(&table, " %s |", c.name)
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, input := range unusualInputs {
		fmt.Fprintf(&table, "| %s |", input.what)
		for _, c := range all {
			fmt.Fprintf(&table, " %s |", input.fate(t, c))
		}
		table.WriteString("\n")
	}
	compareDocs(t, "unusual input", table.String())
}

func (u unusual) fate(t *testing.T, c codec) string {
	t.Helper()
	again, err := c.reencode(schema.Package().Append(u.message), u.bytes)
	if err != nil {
		if strings.Contains(err.Error(), "wire_peer") {
			t.Fatal(err)
		}
		return "refused"
	}
	meaning, known := u.becomes[string(again)]
	if !known {
		t.Errorf("%s: %s makes %x of %x, which the test has no word for", u.what, c.name, again, u.bytes)
	}
	return meaning
}

// TestTheFormsAreThoseOfTheDocs holds the other table of docs/wire.md.
func TestTheFormsAreThoseOfTheDocs(t *testing.T) {
	compareDocs(t, "departures", departures(t))
}

// value is a field's value with its wire type.
type value struct {
	bytes []byte
	wire  protowire.Type
}

func varint(n uint64) value  { return value{protowire.AppendVarint(nil, n), protowire.VarintType} }
func fixed64(n uint64) value { return value{protowire.AppendFixed64(nil, n), protowire.Fixed64Type} }
func text(s string) value    { return value{protowire.AppendString(nil, s), protowire.BytesType} }

func message(fields ...[]byte) value { return text(string(slices.Concat(fields...))) }

func field(number protowire.Number, v value) []byte {
	return append(protowire.AppendTag(nil, number, v.wire), v.bytes...)
}

func group(number protowire.Number, fields []byte) []byte {
	return protowire.AppendGroup(protowire.AppendTag(nil, number, protowire.StartGroupType), number, fields)
}

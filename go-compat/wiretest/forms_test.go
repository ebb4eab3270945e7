package wiretest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gogo/protobuf/gogoproto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// form is how a codec writes a message. The zero form is the canonical one: fields
// by number, defaults left out, numbers packed, a message that is present written
// also when it is empty.
type form struct {
	oneofsLast bool                             // behind all other fields, whatever their numbers
	always     map[protoreflect.FullName]string // written also when absent or empty, and why
}

// bytes writes m, with what it holds of unknown fields at its end. Only the order
// and presence of fields are decided here; how one field looks is asked of
// protobuf-go.
func (f form) bytes(m protoreflect.Message) []byte {
	var to []byte
	for _, fd := range f.order(m.Descriptor()) {
		_, always := f.always[fd.FullName()]
		switch {
		case !m.Has(fd) && !always:
		case fd.Message() == nil && !m.Has(fd):
			to = protowire.AppendBytes(appendTag(to, fd), nil)
		case fd.Message() == nil:
			to = append(to, alone(m, fd)...)
		case fd.IsList():
			for i := range m.Get(fd).List().Len() {
				to = protowire.AppendBytes(appendTag(to, fd), f.bytes(m.Get(fd).List().Get(i).Message()))
			}
		default:
			to = protowire.AppendBytes(appendTag(to, fd), f.bytes(m.Get(fd).Message()))
		}
	}
	return append(to, m.GetUnknown()...)
}

func (f form) order(message protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	for i := range message.Fields().Len() {
		fields = append(fields, message.Fields().Get(i))
	}
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int {
		if f.oneofsLast && isArm(a) != isArm(b) {
			if isArm(a) {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Number(), b.Number())
	})
	return fields
}

func isArm(fd protoreflect.FieldDescriptor) bool { return fd.ContainingOneof() != nil }

// appendTag begins a field whose value has a length.
func appendTag(to []byte, fd protoreflect.FieldDescriptor) []byte {
	return protowire.AppendTag(to, fd.Number(), protowire.BytesType)
}

// alone is the field as it stands in a message that has no other.
func alone(m protoreflect.Message, fd protoreflect.FieldDescriptor) []byte {
	only := m.New()
	only.Set(fd, m.Get(fd))
	bytes, err := proto.Marshal(only.Interface())
	if err != nil {
		panic(err)
	}
	return bytes
}

// canonical is what prost writes, and what digests and vectors are made of.
var canonical = form{}

// protobufGo keeps what its predecessor did.
var protobufGo = form{oneofsLast: true}

// gogoForm is that of the legacy schema: a Go value has no absence, so one that the
// options make of a message or a customtype is always written.
func gogoForm(t testing.TB) form {
	t.Helper()
	always := make(map[protoreflect.FullName]string)
	for name, field := range legacyFields(t) {
		switch {
		case gogoproto.IsNullable(field) || field.IsRepeated():
		case gogoproto.IsCustomType(field):
			always[name] = "written also when empty (`customtype`, `nullable = false`)"
		case field.IsMessage():
			always[name] = "written also when absent, as an empty message (`nullable = false`)"
		}
	}
	return form{always: always}
}

// departures are the rows of docs/wire.md: every field whose place or presence some
// codec does not write canonically.
func departures(t *testing.T) string {
	var rows strings.Builder
	for message := range messages() {
		for i := range message.Oneofs().Len() {
			oneof := message.Oneofs().Get(i)
			if !slices.Equal(protobufGo.order(message), canonical.order(message)) {
				fmt.Fprintf(&rows, "| protobuf-go | `%s` | written behind the other fields, whatever their numbers |\n", short(oneof.FullName()))
			}
		}
	}
	always := gogoForm(t).always
	for message := range messages() {
		for _, fd := range canonical.order(message) {
			if why, is := always[fd.FullName()]; is {
				fmt.Fprintf(&rows, "| gogo/protobuf | `%s` | %s |\n", short(fd.FullName()), why)
			}
		}
	}
	return "| codec | field | how it departs |\n|---|---|---|\n" + rows.String()
}

func short(name protoreflect.FullName) string {
	return strings.TrimPrefix(string(name), string(schema.Package())+".")
}

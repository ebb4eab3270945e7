package wiretest

import (
	"bytes"
	"compress/gzip"
	"io"
	"iter"
	"slices"
	"testing"

	gogo "github.com/gogo/protobuf/proto"
	gogodescriptor "github.com/gogo/protobuf/protoc-gen-gogo/descriptor"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	_ "treasurehunt.example/go-compat/wiretest/legacypb"
)

var schema = pb.File_treasurehunt_playerstate_v1_player_state_proto

// messages walks every message of the schema. None is nested in another, which
// TestTheLegacySchemaIsTheSchema would see.
func messages() iter.Seq[protoreflect.MessageDescriptor] {
	return func(yield func(protoreflect.MessageDescriptor) bool) {
		for i := range schema.Messages().Len() {
			if !yield(schema.Messages().Get(i)) {
				return
			}
		}
	}
}

// legacyFile is the descriptor that is compiled into legacypb.
func legacyFile(t testing.TB) []byte {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(gogo.FileDescriptor("legacy.proto")))
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTheLegacySchemaIsTheSchema compares every message, field (number, type, label,
// oneof) and enum value; options aside, which say how the Go types look.
func TestTheLegacySchemaIsTheSchema(t *testing.T) {
	legacy := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(legacyFile(t), legacy); err != nil {
		t.Fatal(err)
	}
	for _, message := range legacy.GetMessageType() {
		for _, field := range message.GetField() {
			field.Options = nil
		}
	}
	current := protodesc.ToFileDescriptorProto(schema)
	sameByName(t, "message", current.GetMessageType(), legacy.GetMessageType())
	sameByName(t, "enum", current.GetEnumType(), legacy.GetEnumType())
	for message := range messages() {
		if n := message.Messages().Len(); n != 0 {
			t.Errorf("%s has %d messages nested in it: messages() does not walk those", message.FullName(), n)
		}
	}
}

func sameByName[D interface {
	proto.Message
	GetName() string
}](t *testing.T, kind string, current, legacy []D) {
	t.Helper()
	for _, want := range current {
		i := slices.IndexFunc(legacy, func(d D) bool { return d.GetName() == want.GetName() })
		if i < 0 {
			t.Errorf("legacypb/legacy.proto has no %s %s", kind, want.GetName())
			continue
		}
		if !proto.Equal(want, legacy[i]) {
			t.Errorf("legacypb/legacy.proto has another %s %s\nthe schema: %s\nlegacy: %s",
				kind, want.GetName(), prototext.Format(want), prototext.Format(legacy[i]))
		}
	}
	if len(legacy) != len(current) {
		t.Errorf("legacypb/legacy.proto has %d of kind %s, the schema %d", len(legacy), kind, len(current))
	}
}

// legacyFields walks the fields of the legacy schema with their options.
func legacyFields(t testing.TB) iter.Seq2[protoreflect.FullName, *gogodescriptor.FieldDescriptorProto] {
	t.Helper()
	file := &gogodescriptor.FileDescriptorProto{}
	if err := gogo.Unmarshal(legacyFile(t), file); err != nil {
		t.Fatal(err)
	}
	return func(yield func(protoreflect.FullName, *gogodescriptor.FieldDescriptorProto) bool) {
		for _, message := range file.GetMessageType() {
			for _, field := range message.GetField() {
				name := schema.Package().Append(protoreflect.Name(message.GetName())).Append(protoreflect.Name(field.GetName()))
				if !yield(name, field) {
					return
				}
			}
		}
	}
}

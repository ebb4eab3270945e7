package wiretest

import (
	"bytes"
	"testing"

	"github.com/gogo/protobuf/gogoproto"
	gogo "github.com/gogo/protobuf/proto"
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestGrpcsOwnCodecTakesOldTypesButForAPointerToACustomtype: an old service that
// moves to a newer grpc keeps its types and its bytes, and has to change that one
// kind of field, or register gogo's codec.
func TestGrpcsOwnCodecTakesOldTypesButForAPointerToACustomtype(t *testing.T) {
	panics := make(map[protoreflect.FullName]bool)
	for name, field := range legacyFields(t) {
		if gogoproto.IsCustomType(field) && gogoproto.IsNullable(field) {
			panics[name.Parent()] = true
		}
	}
	if len(panics) == 0 {
		t.Fatal("the legacy schema has no such field")
	}
	for message := range messages() {
		m := newLegacy(message.FullName())
		want, err := gogo.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, panicked := marshalByGrpc(t, m)
		if panicked != panics[message.FullName()] {
			t.Errorf("%s panics: %t", message.Name(), panicked)
		}
		if !panicked && !bytes.Equal(got, want) {
			t.Errorf("%s is %x by grpc's codec, %x by gogo's", message.Name(), got, want)
		}
	}
}

func marshalByGrpc(t *testing.T, m gogo.Message) (written []byte, panicked bool) {
	t.Helper()
	defer func() { panicked = recover() != nil }()
	buffers, err := encoding.GetCodecV2(grpcproto.Name).Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return buffers.Materialize(), false
}

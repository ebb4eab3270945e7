package wiretest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// vector is a message and its bytes for good: the canonical ones, and those of a
// codec that departs from them.
type vector struct {
	Name      string            `json:"name"`
	Message   protoreflect.Name `json:"message"`
	Value     json.RawMessage   `json:"value"` // as protobuf has it in JSON
	Canonical string            `json:"canonical"`
	Departs   map[string]string `json:"departs"` // by codec
}

func TestTheVectorsAreReadAndWrittenByAll(t *testing.T) {
	text, err := os.ReadFile("../../tests/vectors/wire/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	all := codecs(t)
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			message := schema.Package().Append(v.Message)
			value := newMessage(message)
			if err := protojson.Unmarshal(v.Value, value.Interface()); err != nil {
				t.Fatal(err)
			}
			fixed := unhex(t, v.Canonical)
			read := value.New()
			if err := proto.Unmarshal(fixed, read.Interface()); err != nil || !proto.Equal(read.Interface(), value.Interface()) {
				t.Errorf("%x is read as %v (%v), want %v, which is %x", fixed, read.Interface(), err, value.Interface(), canonical.bytes(value))
			}
			for _, c := range all {
				want, departs := fixed, v.Departs[c.name]
				if departs != "" {
					want = unhex(t, departs)
				}
				if got, err := c.reencode(message, fixed); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s reads and writes\n%x (%v), want\n%x", c.name, got, err, want)
				}
			}
		})
	}
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

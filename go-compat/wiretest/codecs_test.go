package wiretest

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	gogo "github.com/gogo/protobuf/proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"
)

// codec reads a message and writes it again.
type codec struct {
	name     string
	form     form
	reencode func(message protoreflect.FullName, bytes []byte) ([]byte, error)
}

// codecs are the three, prost within the peer.
func codecs(t *testing.T) []codec {
	t.Helper()
	prost := startPeer(t, "codec")
	return []codec{
		{"protobuf-go", protobufGo, reencodeByProtobufGo},
		{"prost", canonical, func(message protoreflect.FullName, bytes []byte) ([]byte, error) {
			return prost.ask(string(message), bytes)
		}},
		{"gogo/protobuf", gogoForm(t), reencodeByGogo},
	}
}

func reencodeByProtobufGo(message protoreflect.FullName, bytes []byte) ([]byte, error) {
	m := newMessage(message)
	if err := proto.Unmarshal(bytes, m.Interface()); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
}

func reencodeByGogo(message protoreflect.FullName, bytes []byte) ([]byte, error) {
	m := newLegacy(message)
	if m == nil {
		return nil, fmt.Errorf("legacypb has no message %s", message)
	}
	if err := gogo.Unmarshal(bytes, m); err != nil {
		return nil, err
	}
	return gogo.Marshal(m)
}

// newMessage panics on a name that the schema does not have.
func newMessage(name protoreflect.FullName) protoreflect.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		panic(err)
	}
	return kind.New()
}

// newLegacy gives nil for a name that legacypb does not have.
func newLegacy(name protoreflect.FullName) gogo.Message {
	kind := gogo.MessageType(string(name))
	if kind == nil {
		return nil
	}
	return reflect.New(kind.Elem()).Interface().(gogo.Message)
}

// TestEachCodecReadsWhatTheOthersWrite takes every message of the schema at random
// values. Each codec writes exactly the bytes of its form, and whichever wrote a
// message, each reads the same out of it: by pairs, there and on.
func TestEachCodecReadsWhatTheOthersWrite(t *testing.T) {
	all := codecs(t)
	for message := range messages() {
		t.Run(string(message.Name()), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newMessage(message.FullName())
				draw(t, m)
				for _, writer := range all {
					written := writer.form.bytes(m)
					is, err := writer.reencode(message.FullName(), canonical.bytes(m))
					if err != nil || !bytes.Equal(is, written) {
						t.Fatalf("%s writes %v as\n%x (%v), its form is\n%x", writer.name, m.Interface(), is, err, written)
					}
					readOn(t, all, writer, m, written)
				}
			})
		})
	}
}

// readOn has each codec read what a writer made of m.
func readOn(t *rapid.T, all []codec, writer codec, m protoreflect.Message, written []byte) {
	read := m.New()
	if err := proto.Unmarshal(written, read.Interface()); err != nil {
		t.Fatal(err)
	}
	// What gogo fills in is there from then on; nothing else may change on the way.
	if len(writer.form.always) == 0 && !proto.Equal(m.Interface(), read.Interface()) {
		t.Fatalf("%s writes %v so that it is read as %v", writer.name, m.Interface(), read.Interface())
	}
	for _, reader := range all {
		again, err := reader.reencode(m.Descriptor().FullName(), written)
		if want := reader.form.bytes(read); err != nil || !bytes.Equal(again, want) {
			t.Fatalf("%s reads the %s of %s and writes\n%x (%v), want\n%x", reader.name, m.Descriptor().Name(), writer.name, again, err, want)
		}
	}
}

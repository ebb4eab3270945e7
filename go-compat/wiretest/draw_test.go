package wiretest

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// draw fills a message at random: each field set or not, each oneof with one arm or
// none, lists of 0 to 3, numbers with their edges, enums also with numbers that the
// schema does not have.
func draw(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.ContainingOneof() == nil && rapid.Bool().Draw(t, "set "+string(fd.FullName())) {
			drawField(t, m, fd)
		}
	}
	oneofs := m.Descriptor().Oneofs()
	for i := range oneofs.Len() {
		arms := oneofs.Get(i).Fields()
		if arm := rapid.IntRange(-1, arms.Len()-1).Draw(t, "arm of "+string(oneofs.Get(i).FullName())); arm >= 0 {
			drawField(t, m, arms.Get(arm))
		}
	}
}

func drawField(t *rapid.T, m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	isMessage := fd.Message() != nil
	switch {
	case fd.IsList():
		list := m.Mutable(fd).List()
		for range rapid.IntRange(0, 3).Draw(t, "length of "+string(fd.FullName())) {
			if isMessage {
				draw(t, list.AppendMutable().Message())
			} else {
				list.Append(drawScalar(t, fd))
			}
		}
	case isMessage:
		draw(t, m.Mutable(fd).Message())
	default:
		m.Set(fd, drawScalar(t, fd))
	}
}

var (
	anyUint64 = rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, 127, 128, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, math.MaxUint64}), rapid.Uint64())
	anyUint32 = rapid.OneOf(rapid.SampledFrom([]uint32{0, 1, 127, 128, math.MaxInt32, math.MaxUint32}), rapid.Uint32())
	anyInt64  = rapid.OneOf(rapid.SampledFrom([]int64{0, 1, -1, math.MinInt64, math.MaxInt64}), rapid.Int64())
	// The schema's own numbers are small: both known and unknown ones come up.
	anyEnum = rapid.OneOf(rapid.Int32Range(0, 20), rapid.SampledFrom([]int32{-1, math.MinInt32, math.MaxInt32}))
)

// drawScalar panics on a kind that the schema did not have when this was written.
func drawScalar(t *rapid.T, fd protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(fd.FullName())
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(anyEnum.Draw(t, name)))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(anyUint32.Draw(t, name))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind:
		return protoreflect.ValueOfInt64(anyInt64.Draw(t, name))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(anyUint64.Draw(t, name))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.StringN(-1, -1, 300).Draw(t, name))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name))
	default:
		panic("drawScalar does not know the kind of " + name + ": " + fd.Kind().String())
	}
}

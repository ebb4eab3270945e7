package program

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// print writes the settings as a settings file, each with where it came from.
// What it writes can be read again with --config, but for passwords in URLs,
// which it never shows.
func (s *settings) print(w io.Writer) error {
	for _, setting := range s.table {
		value := tomlValue(s.flags.Lookup(setting.name).Value)
		if _, err := fmt.Fprintf(w, "%-48s # %s\n", setting.name+" = "+value, s.origin(setting.name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) origin(name string) string {
	switch source := s.sources[name]; source {
	case fromEnvironment:
		return source + " " + s.prefix + variable(name)
	case fromFile:
		return source + " " + s.flags.Lookup(configKey).Value.String()
	default:
		return source
	}
}

func tomlValue(value pflag.Value) string {
	if list, ok := value.(pflag.SliceValue); ok {
		items := slices.Clone(list.GetSlice()) // it is the setting itself
		for i, item := range items {
			items[i] = quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	switch value.Type() {
	case "string", "duration":
		return quote(value.String())
	default:
		return value.String()
	}
}

func quote(text string) string {
	if address, err := url.Parse(text); err == nil {
		if _, secret := address.User.Password(); secret {
			text = address.Redacted()
		}
	}
	return strconv.Quote(text)
}

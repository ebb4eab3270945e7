package program

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Setting is one row of a program's table: a flag, an environment variable and a
// key of the settings file, all of one name, with a default and limits.
type Setting struct {
	name   string
	define func(*pflag.FlagSet)
	check  func() error // nil while the value is within its limits
}

// Limit is what a value must be. Says completes "must be …".
type Limit[T any] struct {
	Says   string
	Allows func(T) bool
	// why, if any, says of a value that is not allowed more than Says and the value do.
	why func(T) error
}

// refuse is nil while the limit allows value.
func (l Limit[T]) refuse(value T) error {
	switch {
	case l.Allows(value):
		return nil
	case l.why != nil:
		return l.why(value)
	default:
		return fmt.Errorf("must be %s, not %q", l.Says, fmt.Sprint(value))
	}
}

// String is a setting of text.
func String(p *string, name, value, usage string, limits ...Limit[string]) Setting {
	return row((*pflag.FlagSet).StringVar, p, name, value, usage, limits)
}

// Strings is a setting that may be repeated on the command line, is a list in
// the file, and is separated by commas in the environment.
func Strings(p *[]string, name string, value []string, usage string, limits ...Limit[[]string]) Setting {
	return row((*pflag.FlagSet).StringSliceVar, p, name, value, usage, limits)
}

// Int is a setting of a number.
func Int(p *int, name string, value int, usage string, limits ...Limit[int]) Setting {
	return row((*pflag.FlagSet).IntVar, p, name, value, usage, limits)
}

// Uint64 is a setting of a number of 64 bits, as a seed.
func Uint64(p *uint64, name string, value uint64, usage string, limits ...Limit[uint64]) Setting {
	return row((*pflag.FlagSet).Uint64Var, p, name, value, usage, limits)
}

// Float64 is a setting of a fraction.
func Float64(p *float64, name string, value float64, usage string, limits ...Limit[float64]) Setting {
	return row((*pflag.FlagSet).Float64Var, p, name, value, usage, limits)
}

// Bool is a switch.
func Bool(p *bool, name string, value bool, usage string) Setting {
	return row((*pflag.FlagSet).BoolVar, p, name, value, usage, nil)
}

// Duration is a setting of time, as 250ms or 1m30s.
func Duration(p *time.Duration, name string, value time.Duration, usage string, limits ...Limit[time.Duration]) Setting {
	return row((*pflag.FlagSet).DurationVar, p, name, value, usage, limits)
}

func row[T any](
	define func(f *pflag.FlagSet, p *T, name string, value T, usage string),
	p *T, name string, value T, usage string, limits []Limit[T],
) Setting {
	for _, limit := range limits {
		usage += "; " + limit.Says
	}
	return Setting{
		name:   name,
		define: func(f *pflag.FlagSet) { define(f, p, name, value, usage) },
		check: func() error {
			for _, limit := range limits {
				if err := limit.refuse(*p); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// Between allows low, high, and what lies between them.
func Between[T cmp.Ordered](low, high T) Limit[T] {
	return Limit[T]{
		Says:   fmt.Sprintf("%v to %v", low, high),
		Allows: func(value T) bool { return low <= value && value <= high },
	}
}

// OneOf allows the values that it lists.
func OneOf(values ...string) Limit[string] {
	return Limit[string]{
		Says:   strings.Join(values, ", "),
		Allows: func(value string) bool { return slices.Contains(values, value) },
	}
}

// Given refuses an empty value.
func Given() Limit[string] {
	return Limit[string]{Says: "not empty", Allows: func(value string) bool { return value != "" }}
}

// Address allows what [Listen] and [Target] take, and nothing at all.
func Address() Limit[string] {
	refuse := func(value string) error {
		if value == "" {
			return nil
		}
		_, _, err := splitAddress(value)
		return err
	}
	return Limit[string]{
		Says:   addressForm,
		Allows: func(value string) bool { return refuse(value) == nil },
		why:    refuse,
	}
}

// Each asks limit of every item of a list.
func Each[T any](limit Limit[T]) Limit[[]T] {
	refuse := func(values []T) error {
		for _, value := range values {
			if err := limit.refuse(value); err != nil {
				return err
			}
		}
		return nil
	}
	return Limit[[]T]{
		Says:   limit.Says,
		Allows: func(values []T) bool { return refuse(values) == nil },
		why:    refuse,
	}
}

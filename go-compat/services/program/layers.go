package program

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// The places that a value can come from, weakest first.
const (
	fromDefault     = "default"
	fromFile        = "file"
	fromEnvironment = "environment"
	fromCommandLine = "command line"
)

// configKey names the setting that says where the file is. The file cannot hold it.
const configKey = "config"

// settings is a table that was read: every value is in its place.
type settings struct {
	prefix   string // of the environment, as "MATCHMAKER_"
	table    []Setting
	flags    *pflag.FlagSet
	sources  map[string]string
	warnings []string
}

func envPrefix(program string) string { return variable(program) + "_" }

func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// readSettings fills what the command line left open: first from the
// environment, then from the file. flags were parsed already.
func readSettings(prefix string, table []Setting, flags *pflag.FlagSet) (*settings, error) {
	s := &settings{prefix: prefix, table: table, flags: flags, sources: map[string]string{}}
	environment, err := s.environment()
	if err != nil {
		return nil, err
	}
	if err := s.apply(configKey, nil, environment); err != nil {
		return nil, err
	}
	fromTOML, err := s.file(flags.Lookup(configKey).Value.String())
	if err != nil {
		return nil, err
	}
	for _, setting := range table {
		if err := s.apply(setting.name, fromTOML, environment); err != nil {
			return nil, err
		}
		if err := setting.check(); err != nil {
			return nil, s.refuse(setting.name, err)
		}
	}
	return s, nil
}

// environment reads the variables of the prefix. A name that no setting has is
// only warned of: a cluster puts variables of its own beside ours, as
// MATCHMAKER_SERVICE_HOST.
func (s *settings) environment() (*koanf.Koanf, error) {
	layer := koanf.New(".")
	err := layer.Load(env.Provider(".", env.Opt{
		Prefix: s.prefix,
		TransformFunc: func(name, value string) (string, any) {
			return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, s.prefix), "_", "-")), value
		},
	}), nil)
	if err != nil {
		return nil, Exit(ExitSettings, "read the environment: %w", err)
	}
	for _, key := range layer.Keys() {
		if !s.knows(key) {
			s.warnings = append(s.warnings, fmt.Sprintf("%s is not a setting, and is ignored%s",
				s.prefix+variable(key), didYouMean(key, s.names(), func(name string) string { return s.prefix + variable(name) })))
		}
	}
	return layer, nil
}

// file reads the settings file, where every key has to be a setting.
func (s *settings) file(path string) (*koanf.Koanf, error) {
	layer := koanf.New(".")
	if path == "" {
		return layer, nil
	}
	if err := layer.Load(file.Provider(path), toml.Parser()); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, Exit(ExitSettings, "the settings file %s is not there", path)
		}
		return nil, Exit(ExitSettings, "settings file %s: %w", path, err)
	}
	for _, key := range layer.Keys() {
		if key == configKey || !s.knows(key) {
			return nil, Exit(ExitSettings, "settings file %s: %q is not a setting%s",
				path, key, didYouMean(key, s.names(), func(name string) string { return name }))
		}
	}
	return layer, nil
}

// apply puts the strongest value into its place and keeps where it came from.
func (s *settings) apply(name string, fromTOML, environment *koanf.Koanf) error {
	flag := s.flags.Lookup(name)
	switch {
	case flag.Changed:
		s.sources[name] = fromCommandLine
		return nil
	case environment.Exists(name):
		s.sources[name] = fromEnvironment
		return s.refuse(name, put(flag.Value, environment.Get(name)))
	case fromTOML != nil && fromTOML.Exists(name):
		s.sources[name] = fromFile
		return s.refuse(name, put(flag.Value, fromTOML.Get(name)))
	default:
		s.sources[name] = fromDefault
		return nil
	}
}

func put(value pflag.Value, given any) error {
	items, isList := given.([]any)
	if !isList {
		if err := value.Set(fmt.Sprint(given)); err != nil {
			return fmt.Errorf("is %q: %w", fmt.Sprint(given), err)
		}
		return nil
	}
	list, takesList := value.(pflag.SliceValue)
	if !takesList {
		return errors.New("takes one value, not a list")
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = fmt.Sprint(item)
	}
	return list.Replace(texts)
}

// refuse says which setting is wrong, and where it was set. The command line is
// a usage error, a file or the environment a settings error.
func (s *settings) refuse(name string, err error) error {
	if err == nil {
		return nil
	}
	switch s.sources[name] {
	case fromEnvironment:
		return Exit(ExitSettings, "%s (setting %s, by the environment) %w", s.prefix+variable(name), name, err)
	case fromFile:
		return Exit(ExitSettings, "%s (in %s) %w", name, s.flags.Lookup(configKey).Value, err)
	default:
		return Exit(ExitUsage, "--%s %w", name, err)
	}
}

func (s *settings) names() []string {
	names := make([]string, len(s.table))
	for i, setting := range s.table {
		names[i] = setting.name
	}
	return names
}

func (s *settings) knows(key string) bool {
	return key == configKey || slices.Contains(s.names(), key)
}

// didYouMean is "; did you mean X?" for the known name nearest to a wrong one,
// written as spell says, or nothing if none is near.
func didYouMean(wrong string, known []string, spell func(string) string) string {
	const farthest = 3 // letters to change
	best, bestDistance := "", farthest+1
	for _, name := range known {
		if distance := levenshtein.ComputeDistance(wrong, name); distance < bestDistance {
			best, bestDistance = name, distance
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + spell(best) + "?"
}

// Package doctable helps tests hold the tables of docs/ against the code.
package doctable

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Limits checks that each field of a struct of limits has its row, with its
// value, in the file.
func Limits(t *testing.T, file string, limits any) {
	t.Helper()
	text := read(t, file)
	value := reflect.ValueOf(limits)
	for i := range value.NumField() {
		name := value.Type().Field(i).Name
		row := fmt.Sprintf("| `%s` | %s | ", name, shown(name, value.Field(i)))
		if !strings.Contains(text, row) {
			t.Errorf("%s has no row that begins %q", file, row)
		}
	}
}

// Metrics checks that each metric that is registered has its row in the file.
func Metrics(t *testing.T, file string, registry *prometheus.Registry) {
	t.Helper()
	text := read(t, file)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) == 0 {
		t.Fatal("no metric has a value yet")
	}
	for _, family := range families {
		row := fmt.Sprintf("| `%s` | %s | ", family.GetName(), strings.ToLower(family.GetType().String()))
		if !strings.Contains(text, row) {
			t.Errorf("%s has no row that begins %q", file, row)
		}
	}
}

// Names checks that each metric of a list has its row in the file.
func Names(t *testing.T, file string, metrics []string) {
	t.Helper()
	text := read(t, file)
	for _, name := range metrics {
		if !strings.Contains(text, "| `"+name+"` |") {
			t.Errorf("%s has no row for %s", file, name)
		}
	}
}

// Settings checks that each setting that `config print` showed has its row, with
// its value, in the file: a program's own, up to `admin`, which begins what every
// program has.
func Settings(t *testing.T, file, printed string) {
	t.Helper()
	text := read(t, file)
	own, _, _ := strings.Cut(printed, "admin = ")
	for line := range strings.Lines(own) {
		setting, _, _ := strings.Cut(line, "#")
		name, value, _ := strings.Cut(strings.TrimSpace(setting), " = ")
		if row := "| `--" + name + "` | " + strings.Trim(value, `"[]`) + " |"; !strings.Contains(text, row) {
			t.Errorf("%s has no row that begins %s", file, row)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shown is a value as the tables write it.
func shown(name string, value reflect.Value) string {
	if d, ok := value.Interface().(time.Duration); ok {
		return d.String()
	}
	number := fmt.Sprint(value.Interface())
	if !strings.HasSuffix(name, "Bytes") {
		return number
	}
	bytes, err := strconv.Atoi(number)
	switch {
	case err != nil:
		return number
	case bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	default:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
}

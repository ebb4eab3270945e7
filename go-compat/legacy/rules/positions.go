package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines maps each key of a TOML file, as power_up[2].effects[0].magnitude, to
// the line it stands on. The decoder tells positions only of its own errors; the
// rules' are found after decoding.
type lines struct {
	starts []int          // where each line begins
	keys   map[string]int // the line of a key
	values map[int]string // the key of a value, by where that begins
}

func newLines(data []byte) lines {
	l := lines{starts: []int{0}, keys: make(map[string]int), values: make(map[int]string)}
	for i, b := range data {
		if b == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// at gives the line of an offset.
func (l lines) at(offset int) int {
	line, isStart := slices.BinarySearch(l.starts, offset)
	if isStart {
		line++
	}
	return line
}

// of gives the line of a key or, for one that is absent, of the nearest table
// around it.
func (l lines) of(key string) int {
	for key != "" {
		if line, ok := l.keys[key]; ok {
			return line
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return 1
}

// keyOfValue gives the key of the value that begins there, or "".
func (l lines) keyOfValue(line, column int) string {
	if line < 1 || line > len(l.starts) {
		return ""
	}
	return l.values[l.starts[line-1]+column-1]
}

// linesOf walks a file, as far as it is TOML.
func linesOf(data []byte) lines {
	w := walk{lines: newLines(data), tables: make(map[string]int)}
	w.parser.Reset(data)
	table := ""
	for w.parser.NextExpression() {
		node := w.parser.Expression()
		switch node.Kind {
		case unstable.ArrayTable, unstable.Table:
			table = w.header(node)
		case unstable.KeyValue:
			w.keyValue(table, node)
		}
	}
	return w.lines
}

type walk struct {
	parser unstable.Parser
	lines  lines
	tables map[string]int // how many [[…]] of a key so far
}

// header opens a table: its keys name the last [[…]] of each array on the way.
func (w *walk) header(node *unstable.Node) string {
	path := ""
	for keys := node.Key(); keys.Next(); {
		path = join(path, string(keys.Node().Data))
		w.note(path, keys.Node())
		if keys.IsLast() && node.Kind == unstable.ArrayTable {
			w.tables[path]++
		}
		if n := w.tables[path]; n > 0 {
			path = index(path, n-1)
		}
		w.note(path, keys.Node())
	}
	return path
}

func (w *walk) keyValue(table string, node *unstable.Node) {
	path := table
	for keys := node.Key(); keys.Next(); {
		path = join(path, string(keys.Node().Data))
		w.note(path, keys.Node())
	}
	w.value(path, node.Value())
}

func (w *walk) value(path string, node *unstable.Node) {
	children := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		for children.Next() {
			w.keyValue(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			item := children.Node()
			w.note(index(path, i), item)
			if inside := item.Children(); item.Kind == unstable.InlineTable && inside.Next() {
				for keys := inside.Node().Key(); keys.Next(); { // the table begins where its first key does
					w.note(index(path, i), keys.Node())
				}
			}
			w.value(index(path, i), item)
		}
	default:
		if node.Raw.Length > 0 {
			w.lines.values[int(node.Raw.Offset)] = path
		}
	}
}

// note keeps the first line of a key. Nodes without text of their own, as an
// array, have no position and take that of what is around them.
func (w *walk) note(path string, node *unstable.Node) {
	if _, ok := w.lines.keys[path]; !ok && node.Raw.Length > 0 {
		w.lines.keys[path] = w.lines.at(int(node.Raw.Offset))
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

package rules

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// widthMax is where a line of vectors is broken up, in bytes.
const widthMax = 150

// write lays a file of vectors out: what fits a line stands on one.
func write(t *testing.T, path string, file any) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&text)
	decoder.UseNumber()
	if err := os.WriteFile(path, []byte(layOut(t, decoder).text("")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// node is a JSON value whose keys keep their order.
type node struct {
	open, shut string // "" of a value that holds none
	leaf       string
	keys       []string // with colon; empty within a list
	values     []*node
}

func layOut(t *testing.T, from *json.Decoder) *node {
	t.Helper()
	token, err := from.Token()
	if err != nil {
		t.Fatal(err)
	}
	delim, isDelim := token.(json.Delim)
	if !isDelim {
		return &node{leaf: scalar(t, token)}
	}
	n := &node{open: delim.String(), shut: map[json.Delim]string{'{': "}", '[': "]"}[delim]}
	for from.More() {
		key := ""
		if delim == '{' {
			key = layOut(t, from).leaf + ": "
		}
		n.keys, n.values = append(n.keys, key), append(n.values, layOut(t, from))
	}
	if _, err := from.Token(); err != nil {
		t.Fatal(err)
	}
	return n
}

func scalar(t *testing.T, token json.Token) string {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(token); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text.String())
}

func (n *node) line() string {
	parts := make([]string, len(n.values))
	for i, v := range n.values {
		parts[i] = n.keys[i] + v.line()
	}
	return n.open + n.leaf + strings.Join(parts, ", ") + n.shut
}

func (n *node) text(indent string) string {
	if line := n.line(); n.open == "" || len(indent)+len(line) <= widthMax {
		return line
	}
	deeper := indent + "  "
	parts := make([]string, len(n.values))
	for i, v := range n.values {
		parts[i] = deeper + n.keys[i] + v.text(deeper)
	}
	return n.open + "\n" + strings.Join(parts, ",\n") + "\n" + indent + n.shut
}

package wiretest

import (
	"os"
	"strings"
	"testing"
)

const page = "../../docs/wire.md"

// compareDocs holds what stands between the two marks of the page against what the
// codecs do. UPDATE_DOCS=1 writes it there.
func compareDocs(t *testing.T, name, table string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	head, rest, began := strings.Cut(string(text), begin)
	stands, tail, ended := strings.Cut(rest, end)
	if !began || !ended {
		t.Fatalf("%s lacks the marks of %q", page, name)
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(page, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if stands != table {
		t.Errorf("%s is not what the codecs do; run UPDATE_DOCS=1 make test-wire. It says\n%s\nand they do\n%s", page, stands, table)
	}
}

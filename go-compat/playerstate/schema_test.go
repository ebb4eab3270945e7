package playerstate

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
)

func TestTheSchemasHashIsThatOfTheFile(t *testing.T) {
	file, err := os.ReadFile("../../proto/treasurehunt/playerstate/v1/player_state.proto")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(file)
	if got := hex.EncodeToString(hash[:]); got != SchemaHash {
		t.Errorf("SchemaHash is %s; the file's is %s", SchemaHash, got)
	}
}

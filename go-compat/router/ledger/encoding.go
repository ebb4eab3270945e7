package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// entryVersion is the version of stored. A reader refuses a higher one: what it
// does not understand of an entry could be what keeps two owners apart. Version 1
// had no since: nothing passed ownership on.
const entryVersion = 2

// stored is an entry as the file has it. Its key is the hunt's id.
type stored struct {
	Version     int             `json:"v"`
	State       State           `json:"state"`
	Owner       Owner           `json:"owner"`
	Epoch       uint64          `json:"epoch"`
	Since       uint64          `json:"since,omitempty"` // never 0 from version 2 on
	StartsAtMs  int64           `json:"starts_at_ms,omitempty"`
	ChangedAtMs int64           `json:"changed_at_ms"`
	Why         string          `json:"why,omitempty"`
	Settings    json.RawMessage `json:"settings"`
}

func encode(e *Entry) ([]byte, error) {
	settings, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(e.Settings)
	if err != nil {
		return nil, fmt.Errorf("ledger: settings of hunt %q: %w", e.HuntID, err)
	}
	return json.Marshal(stored{
		Version: entryVersion, State: e.State, Owner: e.Owner, Epoch: e.Epoch, Since: e.Since,
		StartsAtMs: e.StartsAtMs, ChangedAtMs: e.ChangedAtMs, Why: e.Why, Settings: settings,
	})
}

func decode(huntID string, value []byte) (*Entry, error) {
	var version struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(value, &version); err != nil {
		return nil, damaged(huntID, err)
	}
	if version.Version < 1 || version.Version > entryVersion {
		return nil, damaged(huntID, fmt.Errorf("it has version %d; this program knows 1 to %d", version.Version, entryVersion))
	}
	var s stored
	strict := json.NewDecoder(bytes.NewReader(value))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&s); err != nil {
		return nil, damaged(huntID, err)
	}
	if !s.State.known() {
		return nil, damaged(huntID, fmt.Errorf("unknown state %q", s.State))
	}
	if s.Owner != Go && s.Owner != Sidecar {
		return nil, damaged(huntID, fmt.Errorf("unknown owner %q", s.Owner))
	}
	if version.Version == 1 {
		s.Since = s.Epoch
	}
	if s.Since == 0 || s.Since > s.Epoch {
		return nil, damaged(huntID, fmt.Errorf("since %d is not 1 to its epoch %d", s.Since, s.Epoch))
	}
	settings := new(pb.HuntSettings)
	if err := protojson.Unmarshal(s.Settings, settings); err != nil {
		return nil, damaged(huntID, err)
	}
	return &Entry{
		HuntID: huntID, State: s.State, Owner: s.Owner, Epoch: s.Epoch, Since: s.Since, Settings: settings,
		StartsAtMs: s.StartsAtMs, ChangedAtMs: s.ChangedAtMs, Why: s.Why,
	}, nil
}

func damaged(huntID string, err error) error {
	return &DamagedError{What: fmt.Sprintf("the entry of hunt %q", huntID), Err: err}
}

package rollout

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"

	"treasurehunt.example/go-compat/internal/filewatch"
	"treasurehunt.example/go-compat/internal/logbook"
)

func flagText(percent any) string {
	return fmt.Sprintf(`{"flags":{"player-state-percent":{"state":"ENABLED","variants":{"now":%v},"defaultVariant":"now"}}}`, percent)
}

// replace writes text as an operator's tool would: whole, then renamed into place.
func replace(t testing.TB, path, text string) {
	t.Helper()
	draft := path + ".new"
	write(t, draft, text)
	if err := os.Rename(draft, path); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func watch(t testing.TB, path string) *Flag {
	t.Helper()
	f, err := WatchFile(context.Background(), path, Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	return f
}

func awaitPercent(t testing.TB, f *Flag, percent float64) {
	t.Helper()
	await(t, fmt.Sprintf("%v %%", percent), func() bool { return f.Percent().Float() == percent && f.Err() == nil })
}

func TestTheFileThatShipsIsTaken(t *testing.T) {
	f := watch(t, "../../deploy/flags/player-state.flagd.json")
	if f.Err() != nil {
		t.Error(f.Err())
	}
}

func TestAFileThatChangesIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	replace(t, path, flagText(25))
	f := watch(t, path)
	if f.Percent() != 25_000 {
		t.Fatalf("it begins with %s", f.Percent())
	}
	replace(t, path, flagText(0.001))
	awaitPercent(t, f, 0.001)
	write(t, path, flagText(100)) // in place
	awaitPercent(t, f, 100)
	replace(t, path, strings.Replace(flagText(100), "ENABLED", "DISABLED", 1))
	awaitPercent(t, f, 0)
}

func TestASymlinkSwapIsFollowed(t *testing.T) {
	// As Kubernetes mounts a ConfigMap: flag.json → ..data/flag.json, ..data → ..1.
	dir := t.TempDir()
	version := func(name, percent string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "flag.json"), flagText(percent))
		if err := os.Symlink(name, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "10")
	path := filepath.Join(dir, "flag.json")
	if err := os.Symlink("..data/flag.json", path); err != nil {
		t.Fatal(err)
	}
	f := watch(t, path)
	awaitPercent(t, f, 10)
	version("..2", "20")
	awaitPercent(t, f, 20)
}

func TestAFileOrItsDirectoryThatIsDeletedAndMadeAgainIsFollowed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flags")
	path := filepath.Join(dir, "flag.json")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	replace(t, path, flagText(10))
	f := watch(t, path)
	for i, gone := range []string{path, dir} {
		before := f.Percent()
		if err := os.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
		await(t, "the alarm", func() bool { return f.Err() != nil })
		if f.Percent() != before {
			t.Errorf("without %s it is %s", gone, f.Percent())
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		replace(t, path, flagText(20+i))
		awaitPercent(t, f, float64(20+i))
	}
	start := time.Now() // the new directory is followed as the old one was, not by polling alone
	for percent := range 10 {
		replace(t, path, flagText(30+percent))
		awaitPercent(t, f, float64(30+percent))
	}
	if took := time.Since(start); took > 2*filewatch.LookEvery {
		t.Errorf("ten changes took %s", took)
	}
}

// The texts that a tool, an editor or a person may leave behind.
var sillyTexts = map[string]string{
	"empty":                  "",
	"blank":                  " \n",
	"not JSON":               "player-state-percent: 50",
	"an array":               "[]",
	"null":                   "null",
	"no flags":               "{}",
	"no such flag":           `{"flags":{}}`,
	"a flag that is null":    `{"flags":{"player-state-percent":null}}`,
	"text":                   flagText(`"50%"`),
	"null percent":           flagText("null"),
	"true":                   flagText("true"),
	"below 0":                flagText(-1),
	"above 100":              flagText(100.1),
	"far above 100":          flagText("1e400"),
	"NaN":                    flagText("NaN"),
	"between two steps":      flagText(0.0005),
	"two objects":            flagText(10) + flagText(20),
	"a variant twice":        flagText(`10,"now":20`),
	"no state":               `{"flags":{"player-state-percent":{"variants":{"now":10},"defaultVariant":"now"}}}`,
	"another state":          strings.Replace(flagText(10), "ENABLED", "enabled", 1),
	"no variants":            `{"flags":{"player-state-percent":{"state":"ENABLED","defaultVariant":"now"}}}`,
	"no default":             `{"flags":{"player-state-percent":{"state":"ENABLED","variants":{"now":10}}}}`,
	"a default that is none": strings.Replace(flagText(10), `"defaultVariant":"now"`, `"defaultVariant":"then"`, 1),
	"targeting":              strings.Replace(flagText(10), `"state"`, `"targeting":{"if":[true,"now"]},"state"`, 1),
	"an unknown member":      strings.Replace(flagText(10), `"state"`, `"percent":10,"state"`, 1),
	"another case":           strings.Replace(flagText(10), `"state"`, `"State"`, 1),
	"over 1 MiB":             flagText(10) + strings.Repeat(" ", fileBytesMax),
}

func TestASillyFileKeepsTheLastGoodValueAndRaisesAnAlarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	replace(t, path, flagText(25))
	f := watch(t, path)
	for name, text := range sillyTexts {
		replace(t, path, text)
		await(t, "the alarm for "+name, func() bool { return f.Err() != nil })
		if f.Percent() != 25_000 {
			t.Errorf("%s: it is %s", name, f.Percent())
		}
		replace(t, path, flagText(25))
		awaitPercent(t, f, 25)
	}
}

func TestAFileTornAtAnyByteIsNeverTaken(t *testing.T) {
	text := flagText(25)
	for cut := range len(text) {
		if number, err := parseFlagd([]byte(text[:cut]), DefaultKey); err == nil {
			t.Errorf("%q is taken as %v", text[:cut], number)
		}
	}
	if number, err := parseFlagd([]byte(text), DefaultKey); err != nil || number.value != 25 {
		t.Errorf("the whole is %v, %v", number, err)
	}
}

func TestWithoutALastGoodValueABadFileIsZeroAndLoud(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	log, logger := logbook.New()
	f, err := WatchFile(context.Background(), path, Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	if f.Percent() != 0 || f.Err() == nil || log.Count("level=ERROR") != 1 {
		t.Errorf("%s, %v, %d errors logged", f.Percent(), f.Err(), log.Count("level=ERROR"))
	}
	replace(t, path, flagText(5))
	awaitPercent(t, f, 5)
}

func TestAPipeInTheFilesPlaceBlocksNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if f := watch(t, path); f.Err() == nil || !strings.Contains(f.Err().Error(), "regular file") {
		t.Errorf("%v", f.Err())
	}
}

func TestAHundredChangesASecondAreFollowedAndNeverBlockReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	replace(t, path, flagText(0))
	f := watch(t, path)

	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if percent := f.Percent(); percent > buckets || percent%stepsPerPercent != 0 {
					t.Errorf("read %s", percent)
					return
				}
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	seen := map[Percent]bool{}
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for change := range 100 {
		<-beat.C
		switch change % 3 {
		case 0:
			replace(t, path, flagText(change%100+1))
		case 1:
			write(t, path, flagText(change%100+1)) // in place: readers may see half of it
		case 2:
			replace(t, path, flagText(change)[:20])
		}
		seen[f.Percent()] = true
	}
	replace(t, path, flagText(77))
	awaitPercent(t, f, 77)
	stop()
	readers.Wait()
	if len(seen) < 5 {
		t.Errorf("only %d values were seen while the file changed", len(seen))
	}
}

func TestTheProviderAnswersOtherTypesAndFlagsAsOpenFeatureAsks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flag.json")
	replace(t, path, flagText(2.5))
	p := NewFileProvider(path, DefaultKey)
	if err := p.Init(openfeature.EvaluationContext{}); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown()
	ctx := context.Background()
	for code, got := range map[openfeature.ErrorCode][]openfeature.ProviderResolutionDetail{
		openfeature.FlagNotFoundCode: {p.FloatEvaluation(ctx, "other", 1, nil).ProviderResolutionDetail},
		openfeature.TypeMismatchCode: {
			p.BooleanEvaluation(ctx, DefaultKey, true, nil).ProviderResolutionDetail,
			p.StringEvaluation(ctx, DefaultKey, "", nil).ProviderResolutionDetail,
			p.ObjectEvaluation(ctx, DefaultKey, nil, nil).ProviderResolutionDetail,
			p.IntEvaluation(ctx, DefaultKey, 1, nil).ProviderResolutionDetail, // 2.5
		},
	} {
		for _, detail := range got {
			if detail.ResolutionDetail().ErrorCode != code {
				t.Errorf("%v; want %s", detail, code)
			}
		}
	}
}

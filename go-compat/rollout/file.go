package rollout

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/open-feature/go-sdk/openfeature/isolated"
)

// WatchFile makes a [Flag] of a file in flagd's format, through a [FileProvider]
// of its own; config.Client is not used. A file that is bad or missing is 0 % and
// an alarm until it is good.
func WatchFile(ctx context.Context, path string, config Config) (*Flag, error) {
	config.Key = cmp.Or(config.Key, DefaultKey)
	config.Logger = cmp.Or(config.Logger, slog.Default())
	// An OpenFeature of its own: it disturbs no other provider of the process, and
	// ends with the flag.
	api := isolated.NewAPI()
	// What is wrong with the file is no error here: the flag says it, and goes on
	// watching.
	_ = api.SetProviderAndWait(ctx, newFileProvider(path, config.Key, config.Logger))
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, api.Shutdown(context.WithoutCancel(ctx)))
	}
	config.Client = api.NewClient()
	flag := New(config)
	flag.release = api.Shutdown
	return flag, nil
}

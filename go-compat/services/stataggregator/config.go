package stataggregator

import (
	"fmt"
	"strings"
	"time"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/program"
)

// feedsMax bounds the feeds, each of which is a connection and a few metrics.
const feedsMax = 16

// callSlack is what a call may take beyond the wait that it asks for. Together
// they stay within the 35 s that a server gives a read of the feed.
const callSlack = 5 * time.Second

// Config is every choice of the aggregator. [Config.Settings] gives the defaults.
type Config struct {
	Feeds     []string      // as NAME=ADDR
	Wait      time.Duration // how long a feed may keep a read that finds nothing
	PullEvery time.Duration // between two reads of a feed that has no more to give
	RetryMax  time.Duration // between two reads of a feed that fails
	PageMax   int           // records of one read
}

// Settings is the aggregator's table of settings. Reading it fills c.
func (c *Config) Settings() []program.Setting {
	return []program.Setting{
		program.Strings(&c.Feeds, "feed", nil, "a feed to read; repeat it for more. Its cursor is kept under its name",
			program.Each(program.Limit[string]{Says: "NAME=ADDR, with a name of 1 to 32 bytes of [a-z0-9_-]", Allows: isFeed})),
		program.Duration(&c.Wait, "wait", 20*time.Second,
			"how long a feed may wait for news", program.Between(0, playerstate.MaxReadWaitMs*time.Millisecond)),
		program.Duration(&c.PullEvery, "pull-every", 100*time.Millisecond,
			"the least time between two reads of a feed that had no more to give: more records at a time cost less each",
			program.Between(0, time.Minute)),
		program.Duration(&c.RetryMax, "retry-max", 5*time.Second,
			"the longest pause before a feed that fails is asked again", program.Between(100*time.Millisecond, time.Minute)),
		program.Int(&c.PageMax, "page-max", playerstate.MaxReadRecords,
			"records of one read", program.Between(1, playerstate.MaxReadRecords)),
	}
}

// Check refuses feeds that cannot be told apart, and none.
func (c *Config) Check() error {
	if len(c.Feeds) < 1 || len(c.Feeds) > feedsMax {
		return fmt.Errorf("--feed must be given 1 to %d times, as NAME=ADDR, not %d times", feedsMax, len(c.Feeds))
	}
	names := make(map[string]bool)
	for _, feed := range c.Feeds {
		name, _, _ := strings.Cut(feed, "=")
		if names[name] {
			return fmt.Errorf("--feed %s is given twice: a feed's name is where its cursor is kept", name)
		}
		names[name] = true
	}
	return nil
}

func isFeed(text string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	name, addr, _ := strings.Cut(text, "=")
	return len(name) >= 1 && len(name) <= 32 && strings.Trim(name, allowed) == "" &&
		addr != "" && program.Address().Allows(addr)
}

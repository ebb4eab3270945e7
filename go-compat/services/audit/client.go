package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Client is the [View] of an aggregator's JSON API. Safe for concurrent use.
type Client struct {
	// Base is the API's address, as http://HOST:PORT.
	Base string
}

const (
	answerBytesMax = 1 << 20 // of one page: 1,000 players are about 300 KiB
	pageMax        = 1000    // players of one page
	askAgainEvery  = 100 * time.Millisecond
)

// Hunt implements [View]. It asks for as many pages of players as there are.
func (c Client) Hunt(ctx context.Context, id string) (*Counted, error) {
	var whole *Counted
	for after := ""; ; {
		query := url.Values{"limit": {fmt.Sprint(pageMax)}, "after": {after}}
		page := &struct {
			Counted
			Next string `json:"next"`
		}{}
		found, err := c.get(ctx, "/v1/hunts/"+url.PathEscape(id)+"?"+query.Encode(), page)
		if err != nil || !found {
			return nil, err
		}
		if whole == nil {
			whole = &page.Counted
		} else {
			whole.Players = append(whole.Players, page.Players...)
		}
		if page.Next == "" {
			return whole, nil
		}
		after = page.Next
	}
}

// Settled waits until the end of every hunt of the report was counted, and
// nothing of it is missing, at most until ctx is over. The end is a hunt's last
// record: after it, nothing is on its way any more.
func (c Client) Settled(ctx context.Context, report *Report) error {
	for _, hunt := range report.Hunts {
		for {
			counted, err := c.Hunt(ctx, hunt.ID)
			if err == nil && counted != nil && counted.Ended && counted.Missing == 0 {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the aggregator has not counted hunt %s to its end: %w", hunt.ID, ctx.Err())
			case <-time.After(askAgainEvery):
			}
		}
	}
	return nil
}

// get asks for one page, and tells whether there is one.
func (c Client) get(ctx context.Context, path string, answer any) (found bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, nil)
	if err != nil {
		return false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return false, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return true, json.Unmarshal(text, answer)
	case http.StatusNotFound:
		return false, nil
	default:
		return false, fmt.Errorf("%s: %s: %s", path, response.Status, text)
	}
}

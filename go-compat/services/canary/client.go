package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// answerBytesMax bounds an answer: the missing hunts of a full engine fit.
const answerBytesMax = 16 << 20

// ErrUnreachable says that the matchmaker's admin port did not answer as it should.
var ErrUnreachable = errors.New("the matchmaker was not reached")

// Client calls the API at an admin port.
type Client struct {
	// Base is "http://HOST:PORT".
	Base string
	// HTTP makes the calls; nil: http.DefaultClient.
	HTTP *http.Client
}

// Status is the router at a glance.
func (c *Client) Status(ctx context.Context) (router.Status, error) {
	return call[router.Status](ctx, c, http.MethodGet, statusPath, nil)
}

// Missing is the hunts about which a person has to decide.
func (c *Client) Missing(ctx context.Context) ([]router.MissingHunt, error) {
	repair, err := call[Repair](ctx, c, http.MethodGet, repairPath, nil)
	return repair.Hunts, err
}

// Lose gives a hunt up. Its error is a [*jsonapi.Error] where the router refuses it.
func (c *Client) Lose(ctx context.Context, huntID, reason string) error {
	_, err := call[Lose](ctx, c, http.MethodPost, losePath, Lose{HuntID: huntID, Reason: reason})
	return err
}

// call makes one call. What the API refused is a [*jsonapi.Error].
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return answer, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.Base+path, &sent)
	if err != nil {
		return answer, err
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return answer, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(io.LimitReader(response.Body, answerBytesMax))
	if response.StatusCode == http.StatusOK {
		if err := decoder.Decode(&answer); err != nil {
			return answer, fmt.Errorf("%w: %s: %w", ErrUnreachable, path, err)
		}
		return answer, nil
	}
	var refused struct {
		Error *jsonapi.Error `json:"error"`
	}
	if err := decoder.Decode(&refused); err != nil || refused.Error == nil {
		return answer, fmt.Errorf("%w: %s answered %s; is it the --admin address of a matchmaker with --sidecar?", ErrUnreachable, path, response.Status)
	}
	return answer, refused.Error
}

package canary

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// The paths of the API, on the admin port.
const (
	statusPath = "/router/status"
	repairPath = "/router/repair"
	losePath   = "/router/repair/lose"
)

// reasonBytesMax bounds what a person gives as the reason.
const reasonBytesMax = 500

// Router is what the API stands on: a [*router.Router].
type Router interface {
	Status() router.Status
	Missing() []router.MissingHunt
	GiveUp(ctx context.Context, huntID, reason string) error
}

// Repair is the hunts about which a person has to decide.
type Repair struct {
	Hunts []router.MissingHunt `json:"hunts"`
}

// Lose asks to give a hunt up.
type Lose struct {
	HuntID string `json:"hunt_id"`
	Reason string `json:"reason"`
}

// Routes adds the API.
func Routes(api *jsonapi.API, r Router) {
	api.Handle("GET "+statusPath, func(w http.ResponseWriter, _ *http.Request) error {
		jsonapi.Write(w, http.StatusOK, r.Status())
		return nil
	})
	api.Handle("GET "+repairPath, func(w http.ResponseWriter, _ *http.Request) error {
		jsonapi.Write(w, http.StatusOK, Repair{Hunts: r.Missing()})
		return nil
	})
	api.Handle("POST "+losePath, func(w http.ResponseWriter, request *http.Request) error {
		var lose Lose
		if err := jsonapi.Read(w, request, &lose); err != nil {
			return err
		}
		if n := len(lose.Reason); n < 1 || n > reasonBytesMax {
			return jsonapi.Invalid("reason", "must be 1 to %d bytes, for who reads the ledger later; this has %d", reasonBytesMax, n)
		}
		if err := r.GiveUp(request.Context(), lose.HuntID, lose.Reason); err != nil {
			return refused(err)
		}
		jsonapi.Write(w, http.StatusOK, lose)
		return nil
	})
}

// refused is the router's failure as the API says it.
func refused(err error) error {
	said := status.Convert(err)
	answer := &jsonapi.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: said.Message()}
	switch said.Code() {
	case codes.NotFound:
		answer.Status, answer.Code = http.StatusNotFound, "not_found"
	case codes.FailedPrecondition, codes.Aborted:
		answer.Status, answer.Code = http.StatusConflict, "conflict"
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
	default: // the codes are grpc's: a failure from inside
		return fmt.Errorf("give up: %w", err)
	}
	return answer
}

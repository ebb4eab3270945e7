package jsonapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// BodyBytesMax bounds a request's body.
const BodyBytesMax = 64 << 10

// The bounds of a list's page.
const (
	pageDefault = 100
	pageMax     = 1000
)

// Read takes the request's body into a value: one JSON value of known fields, of
// [BodyBytesMax] at most. Its error is an [*Error].
func Read(w http.ResponseWriter, r *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, BodyBytesMax))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Invalid("", "the body is more than one JSON value")
	}
	return nil
}

func refuse(err error) *Error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{
			Status: http.StatusRequestEntityTooLarge, Code: "body_too_large",
			Message: fmt.Sprintf("a body has at most %d bytes", tooLarge.Limit),
		}
	case errors.As(err, &wrongType):
		return Invalid(wrongType.Field, "must be of type %s, not %s", wrongType.Type, wrongType.Value)
	case errors.As(err, &syntax):
		return Invalid("", "the body is not JSON: %v, at byte %d", err, syntax.Offset)
	case errors.Is(err, io.EOF):
		return Invalid("", "the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Invalid("", "the body is not JSON: it ends too early")
	}
	// The decoder has no type for this one.
	if quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if field, err := strconv.Unquote(quoted); err == nil {
			return Invalid(field, "there is no such field")
		}
	}
	return Invalid("", "the body cannot be read: %v", err)
}

// Page is which part of a list is asked for, by the query's limit and after.
type Page struct {
	Limit int    // 1 to 1000; 100 if not given
	After string // the list goes on behind this one; "": from the beginning
}

// ReadPage takes the page from the request's query. Its error is an [*Error].
func ReadPage(r *http.Request) (Page, error) {
	query := r.URL.Query()
	page := Page{Limit: pageDefault, After: query.Get("after")}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > pageMax {
			return Page{}, Invalid("limit", "must be 1 to %d, not %q", pageMax, text)
		}
		page.Limit = limit
	}
	return page, nil
}

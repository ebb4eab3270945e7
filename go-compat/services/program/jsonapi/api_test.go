package jsonapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func testAPI(t *testing.T) (*API, *prometheus.Registry) {
	metrics := prometheus.NewRegistry()
	api := New(slog.New(slog.NewTextHandler(t.Output(), nil)), metrics)
	api.Handle("POST /v1/things", func(w http.ResponseWriter, r *http.Request) error {
		var thing struct {
			Name  string `json:"name"`
			Count uint32 `json:"count"`
		}
		if err := Read(w, r, &thing); err != nil {
			return err
		}
		if thing.Name == "" {
			return Invalid("name", "must be given")
		}
		Write(w, http.StatusCreated, thing)
		return nil
	})
	api.Handle("GET /v1/things", func(w http.ResponseWriter, r *http.Request) error {
		page, err := ReadPage(r)
		if err != nil {
			return err
		}
		Write(w, http.StatusOK, page)
		return nil
	})
	api.Handle("GET /v1/broken", func(http.ResponseWriter, *http.Request) error { return errors.New("secret") })
	api.Handle("GET /v1/panics", func(http.ResponseWriter, *http.Request) error { panic("secret") })
	return api, metrics
}

func TestEveryAnswerIsJSONAndSaysWhatWasWrong(t *testing.T) {
	api, _ := testAPI(t)
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code, field, says        string
	}{
		{"good", "POST", "/v1/things", `{"name":"x","count":3}`, 201, "", "", `"count":3`},
		{"missing field", "POST", "/v1/things", `{}`, 400, "invalid_argument", "name", "must be given"},
		{"unknown field", "POST", "/v1/things", `{"nam":"x"}`, 400, "invalid_argument", "nam", "no such field"},
		{"wrong type", "POST", "/v1/things", `{"name":"x","count":"3"}`, 400, "invalid_argument", "count", "string"},
		{"negative", "POST", "/v1/things", `{"name":"x","count":-1}`, 400, "invalid_argument", "count", "number -1"},
		{"too large a number", "POST", "/v1/things", `{"name":"x","count":4294967296}`, 400, "invalid_argument", "count", "number"},
		{"not JSON", "POST", "/v1/things", `name=x`, 400, "invalid_argument", "", "not JSON"},
		{"cut", "POST", "/v1/things", `{"name":"x`, 400, "invalid_argument", "", "ends too early"},
		{"empty", "POST", "/v1/things", ``, 400, "invalid_argument", "", "empty"},
		{"two values", "POST", "/v1/things", `{"name":"x"} {}`, 400, "invalid_argument", "", "more than one"},
		{"deep", "POST", "/v1/things", strings.Repeat("[", 60000), 400, "invalid_argument", "", ""},
		{"huge", "POST", "/v1/things", `{"name":"` + strings.Repeat("x", BodyBytesMax) + `"}`, 413, "body_too_large", "", "65536"},
		{"no path", "GET", "/v2/things", ``, 404, "not_found", "", "no such path"},
		{"no method", "DELETE", "/v1/things", ``, 405, "method_not_allowed", "", "GET and POST"},
		{"page", "GET", "/v1/things?limit=7&after=x", ``, 200, "", "", `"Limit":7`},
		{"page of nothing", "GET", "/v1/things?limit=0", ``, 400, "invalid_argument", "limit", "1 to 1000"},
		{"page too large", "GET", "/v1/things?limit=1001", ``, 400, "invalid_argument", "limit", "1 to 1000"},
		{"failure", "GET", "/v1/broken", ``, 500, "internal", "", "log"},
		{"panic", "GET", "/v1/panics", ``, 500, "internal", "", "log"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := httptest.NewRecorder()
			api.ServeHTTP(answer, httptest.NewRequest(test.method, test.path, strings.NewReader(test.body)))
			body := answer.Body.String()
			if answer.Code != test.status || !strings.Contains(body, test.says) || strings.Contains(body, "secret") {
				t.Fatalf("%d %s, want %d with %q", answer.Code, body, test.status, test.says)
			}
			var got struct{ Error Error }
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("not JSON: %s", body)
			}
			if got.Error.Code != test.code || got.Error.Field != test.field {
				t.Errorf("code %q field %q, want %q %q", got.Error.Code, got.Error.Field, test.code, test.field)
			}
		})
	}
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	api, _ := testAPI(t)
	request := httptest.NewRequest("POST", "/v1/things", strings.NewReader(`{"name":"x"}`))
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "cross_origin") {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

func TestRequestsAreCountedByRouteNotByPath(t *testing.T) {
	api, metrics := testAPI(t)
	for _, path := range []string{"/a", "/b", "/c"} {
		api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if got, err := testutil.GatherAndCount(metrics, "http_server_request_duration_seconds"); err != nil || got != 1 {
		t.Fatalf("%d series for three unknown paths, %v", got, err)
	}
}

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Requests count by method and status once they are over, an answer that goes on as soon as it has begun. What is counted can
// still be sent bit by bit.
func TestMetersOfTheAPI(t *testing.T) {
	m := newMeters()
	goOn := make(chan struct{})
	server := httptest.NewServer(m.api.over(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			control := http.NewResponseController(w)
			if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
			io.WriteString(w, "begun") //nolint:errcheck // the client sees it
			if err := control.Flush(); err != nil {
				t.Error(err)
			}
			<-goOn
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		default:
			w.WriteHeader(http.StatusOK)
		}
	})))
	defer server.Close()
	ask := func(method, path string) *http.Response {
		t.Helper()
		request, err := http.NewRequest(method, server.URL+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { response.Body.Close() })
		return response
	}
	stream := ask("GET", "/stream")
	ask("GET", "/")
	ask("POST", "/missing")
	ask("BREW", "/missing")
	if _, err := io.ReadFull(stream.Body, make([]byte, len("begun"))); err != nil {
		t.Fatal(err)
	}
	if active := testutil.ToFloat64(m.api.active); active < 1 {
		t.Errorf("%v are active", active)
	}
	close(goOn)
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Fatal(err)
	}
	server.Close() // waits for handlers
	wantTold(t, told(t, m.ofScheduler()...), map[string]float64{
		"api_requests_total/200/get": 2, "api_requests_total/404/post": 1, "api_requests_total/404/unknown": 1,
		"api_answer_seconds/get": 2, "api_answer_seconds/post": 1, "api_requests_active": 0,
	})
}

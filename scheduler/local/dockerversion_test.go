package local

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moby/moby/client"
)

// A daemon that is just starting does not say which version of the API it speaks, and refuses the next call for its version a
// moment later. That is no word on what was asked for.
func TestDaemonThatIsStarting(t *testing.T) {
	var pings, refused atomic.Int32
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/_ping" && pings.Add(1) <= 2: // by HEAD, and by GET
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/_ping":
			w.Header().Set("Api-Version", "1.41")
		case strings.HasPrefix(r.URL.Path, "/v1.41/"):
			w.Write([]byte("[]")) //nolint:errcheck // the call fails as well
		default:
			refused.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`{"message":"client version 1.56 is too new. Maximum supported API version is 1.41"}`)) //nolint:errcheck
		}
	}))
	defer daemon.Close()
	d, err := connectDocker("tcp://" + daemon.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	_, err = ask(t.Context(), func(ctx context.Context) (client.ContainerListResult, error) {
		return d.api.ContainerList(ctx, client.ContainerListOptions{})
	})
	if err != nil || refused.Load() != 1 {
		t.Errorf("%d calls were refused, and then: %v", refused.Load(), err)
	}
}

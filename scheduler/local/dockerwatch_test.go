package local

import (
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// A Docker Engine that comes while an offer is out which says that there is none: declining that offer does not keep
// containers waiting.
func TestDockerComesWhileAnOfferIsOut(t *testing.T) {
	socket := filepath.Join(testDir(t), "docker.sock")
	r := newRig(t, Options{Docker: "unix://" + socket})
	r.stop()
	r.engine.dockerInterval = 10 * time.Millisecond
	r = start(t, r.engine)
	out := r.offer("local-S0")
	if out.NoContainers == "" {
		t.Fatal("containers are offered without a Docker Engine")
	}

	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	pings := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		select {
		case pings <- struct{}{}:
		default:
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	for range 2 { // before it asks a second time, the engine has taken note of the first answer
		select {
		case <-pings:
		case <-time.After(patience):
			t.Fatal("the Docker Engine is not asked")
		}
	}
	r.engine.Decline(out.ID, time.Hour)
	if o := r.offer("local-S0"); o.NoContainers != "" {
		t.Errorf("an offer says %q of containers", o.NoContainers)
	}
}

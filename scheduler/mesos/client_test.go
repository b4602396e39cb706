package mesos

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeMaster answers as a test says; at is its "host:port".
func fakeMaster(t *testing.T, handle http.HandlerFunc) (at string) {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// leading answers with a state that says so.
func leading(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, `{"leader": "master@`+r.Host+`", "id": "`+r.Host+`"}`) //nolint:errcheck // the test fails anyway
}

func redirecting(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+to+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not well", code) }
}

func saying(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) } //nolint:errcheck // likewise
}

func TestClientState(t *testing.T) {
	good := fakeMaster(t, leading)
	gone := httptest.NewServer(http.HandlerFunc(leading))
	gone.Close()
	var circle string
	circle = fakeMaster(t, func(w http.ResponseWriter, r *http.Request) { redirecting(circle)(w, r) })
	other := strings.Replace(good, "127.0.0.1", "localhost", 1) // another host by its text
	for _, tt := range []struct {
		name    string
		masters Masters
		want    string // the leader, or ...
		err     string // what the error holds
	}{
		{"the only one", Masters{All: []string{good}}, good, ""},
		{"the leader before the others", Masters{Leader: good, All: []string{fakeMaster(t, status(500)), good}}, good, ""},
		{"a redirect", Masters{All: []string{fakeMaster(t, redirecting(good))}}, good, ""},
		{"one that says who leads", Masters{All: []string{fakeMaster(t, saying(`{"leader": "master@`+other+`"}`))}}, other, ""},
		{"others when the first is away", Masters{Leader: gone.Listener.Addr().String(), All: []string{good}}, good, ""},
		{"others when the first is not well", Masters{All: []string{fakeMaster(t, status(503)), good}}, good, ""},
		{"others when the first talks nonsense", Masters{All: []string{fakeMaster(t, saying("<html>")), good}}, good, ""},
		{"a status that is none", Masters{All: []string{fakeMaster(t, status(500))}}, "", `status 500 Internal Server Error: "not well\n"`},
		{"in a circle", Masters{All: []string{circle}}, "", "redirects more than 10 times"},
		{"half a state", Masters{All: []string{fakeMaster(t, saying(`{"leader": "master@10.0.0.1:5050", "slaves": [{"id"`))}}, "", "unexpected EOF"},
		{"no leader elected", Masters{All: []string{fakeMaster(t, saying(`{}`))}}, "", "names no leading master"},
		{"nobody to ask", Masters{}, "", "no master is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := NewClient(ClientOptions{}).State(t.Context(), tt.masters)
			if tt.err == "" && (err != nil || s.Leader != tt.want) {
				t.Errorf("leader %q, error %v; want %q", s.Leader, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
		})
	}
}

func TestClientStateTimesOut(t *testing.T) {
	release := make(chan struct{})
	hanging := fakeMaster(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	c := NewClient(ClientOptions{StateTimeout: 20 * time.Millisecond})
	if _, err := c.State(t.Context(), Masters{All: []string{hanging}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that the time is up", err)
	}
}

// Credentials go to masters, wherever they redirect to, and to nobody else.
func TestCredentialsAreForMasters(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]string{}
	note := func(who string, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			mu.Lock()
			seen[who] = user + ":" + password
			mu.Unlock()
			next(w, r)
		}
	}
	leader := fakeMaster(t, note("leader", leading))
	follower := fakeMaster(t, note("follower", redirecting(leader)))
	stranger := fakeMaster(t, note("stranger", leading))
	misled := fakeMaster(t, note("misled", redirecting(stranger)))
	c := NewClient(ClientOptions{Auth: BasicAuth{"me", "secret"}})
	for _, masters := range []Masters{{All: []string{follower, leader}}, {All: []string{misled}}} {
		if _, err := c.State(t.Context(), masters); err != nil {
			t.Error(err)
		}
	}
	for who, want := range map[string]string{
		"leader": "me:secret", "follower": "me:secret", "misled": "me:secret", "stranger": ":",
	} {
		if seen[who] != want {
			t.Errorf("the %s got %q, want %q", who, seen[who], want)
		}
	}
}

// Whoever wants to know who asks, and is not told, is named: it may be a master by another name.
func TestStrangerThatWantsCredentials(t *testing.T) {
	stranger := fakeMaster(t, status(http.StatusUnauthorized))
	c := NewClient(ClientOptions{Auth: BasicAuth{"me", "secret"}})
	_, err := c.State(t.Context(), Masters{All: []string{fakeMaster(t, redirecting(stranger))}})
	if err == nil || !strings.Contains(err.Error(), stranger) || !strings.Contains(err.Error(), `name it in "masters"`) {
		t.Errorf("%v", err)
	}
	_, err = c.State(t.Context(), Masters{All: []string{stranger}})
	if err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("a master that refuses: %v", err)
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(leading))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	at := Masters{All: []string{s.Listener.Addr().String()}}
	if _, err := NewClient(ClientOptions{HTTPS: true, TLS: &tls.Config{RootCAs: roots}}).State(t.Context(), at); err != nil {
		t.Error(err)
	}
	if _, err := NewClient(ClientOptions{HTTPS: true}).State(t.Context(), at); err == nil {
		t.Error("a certificate that nobody vouches for is accepted")
	}
	plain := fakeMaster(t, leading)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+plain+"/master/state", http.StatusTemporaryRedirect)
	})
	_, err := NewClient(ClientOptions{HTTPS: true, TLS: &tls.Config{RootCAs: roots}}).State(t.Context(), at)
	if err == nil || !strings.Contains(err.Error(), "another scheme") {
		t.Errorf("%v, want that it does not go on without TLS", err)
	}
}

func TestIAM(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ UID, Token string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		parts := strings.Split(body.Token, ".")
		if len(parts) != 3 || body.UID != "robot" {
			t.Fatalf("uid %q, token %q", body.UID, body.Token)
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			t.Error(err)
		}
		claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
		if want := `{"exp":1700003600,"uid":"robot"}`; string(claims) != want {
			t.Errorf("claims %s, want %s", claims, want)
		}
		io.WriteString(w, `{"token": "granted"}`) //nolint:errcheck // the test fails anyway
	}))
	defer login.Close()
	master := fakeMaster(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "token=granted" {
			t.Errorf("Authorization %q", got)
		}
		leading(w, r)
	})
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for kind, der := range map[string][]byte{"RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(key), "PRIVATE KEY": pkcs8} {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		auth, err := NewIAM("robot", string(text), login.URL, NewTransport(nil))
		if err != nil {
			t.Fatal(err)
		}
		auth.now = func() time.Time { return time.Unix(1_700_000_000, 0) }
		if _, err := NewClient(ClientOptions{Auth: auth}).State(t.Context(), Masters{All: []string{master}}); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewIAM("robot", "nonsense", login.URL, nil); err == nil {
		t.Error("a key that is none is accepted")
	}
}

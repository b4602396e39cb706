package resolver

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSystemUpstreams(t *testing.T) {
	const text = `# nameserver 203.0.113.9
; nameserver 203.0.113.9
search example.com
nameserver 203.0.113.1
	nameserver	203.0.113.2 # the second
nameserver 127.0.0.1
nameserver 127.0.0.53
nameserver 203.0.113.1
nameserver not.an.address
nameserver
nameservers 203.0.113.9
nameserver 2001:db8::1
nameserver fe80::1%lo
options timeout:1
`
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rest := addrPorts("[2001:db8::1]:53", "[fe80::1%lo]:53")
	for _, tt := range []struct {
		name string
		own  []string
		want []string
	}{
		{"nothing of our own", nil, []string{"203.0.113.1:53", "203.0.113.2:53", "127.0.0.1:53", "127.0.0.53:53"}},
		{"another port", []string{"127.0.0.1:8053"}, []string{"203.0.113.1:53", "203.0.113.2:53", "127.0.0.1:53", "127.0.0.53:53"}},
		{"one of the addresses", []string{"127.0.0.1:53"}, []string{"203.0.113.1:53", "203.0.113.2:53", "127.0.0.53:53"}},
		{"all of the machine's", []string{"0.0.0.0:53"}, []string{"203.0.113.1:53", "203.0.113.2:53"}},
		{"all of both families", []string{"[::]:53"}, []string{"203.0.113.1:53", "203.0.113.2:53"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := SystemUpstreams(path, addrPorts(tt.own...))
			if err != nil {
				t.Fatal(err)
			}
			want := append(addrPorts(tt.want...), rest...)
			if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := SystemUpstreams(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("no error for a file that is not there")
	}
}

// The unspecified address means this machine there.
func TestSystemUpstreamsUnspecified(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver 0.0.0.0\nnameserver ::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := SystemUpstreams(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"127.0.0.1:53", "[::1]:53"}, texts(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func texts[T interface{ String() string }](values []T) []string {
	out := []string{}
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

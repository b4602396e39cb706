package records

import (
	"net/netip"
	"strings"
	"testing"
)

func TestDefaultOptionsAreValid(t *testing.T) {
	for _, domain := range []string{"mesos", "dc1.example.com", "x--y", "my_domain"} {
		if _, err := New(DefaultOptions(domain)); err != nil {
			t.Errorf("%s: %v", domain, err)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	tests := []struct {
		change func(*Options)
		want   []string // each in the error
	}{
		{func(o *Options) { o.Domain = "" }, []string{"Domain"}},
		{func(o *Options) { o.Domain = "Mesos" }, []string{`Domain "Mesos"`, "lower case"}},
		{func(o *Options) { o.Domain = "mesos." }, []string{"Domain"}},
		{func(o *Options) { o.Domain = ".mesos" }, []string{"Domain"}},
		{func(o *Options) { o.Domain = "me sos" }, []string{"Domain"}},
		{func(o *Options) { o.Domain = strings.Repeat("x", 64) }, []string{"Domain"}},
		{func(o *Options) { o.TTL = 1 << 31 }, []string{"TTL 2147483648", "2147483647"}},
		{func(o *Options) { o.IPSources = nil }, []string{"IPSources is empty", "netinfo"}},
		{func(o *Options) { o.IPSources = []string{"host", "autoip", "host"} }, []string{`"autoip"`, `"host" is there twice`}},
		{func(o *Options) { o.SOA.MName = "ns1.mesos" }, []string{"SOA.MName"}},
		{func(o *Options) { o.SOA.RName = "Root.mesos." }, []string{"SOA.RName"}},
		{func(o *Options) { o.ListenAddrs = []netip.Addr{{}} }, []string{"ListenAddrs"}},
		{func(o *Options) { o.AllUnhealthy = 2 }, []string{"AllUnhealthy 2"}},
		{func(o *Options) { *o = Options{} }, []string{"Domain", "IPSources", "SOA.MName", "SOA.RName"}},
	}
	for _, tt := range tests {
		o := DefaultOptions("mesos")
		tt.change(&o)
		z, err := New(o)
		if err == nil || z != nil {
			t.Errorf("no error, want %q", tt.want)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	}
}

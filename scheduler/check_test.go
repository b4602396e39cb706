package scheduler

import (
	"encoding/json"
	"testing"
)

// TestHealthCheckJSON writes the defaults of a check as Marathon does, and reads what says them as the check that does
// not: an app that is stored with one form is not changed by a request with the other.
func TestHealthCheckJSON(t *testing.T) {
	for _, tt := range []struct {
		check HealthCheck
		want  string
	}{
		{HealthCheck{Protocol: ProtocolHTTP}, `"ignoreHttp1xx":false,"ipProtocol":"IPv4"`},
		{HealthCheck{Protocol: ProtocolHTTPS, IgnoreHTTP1xx: true}, `"ignoreHttp1xx":true,"ipProtocol":"IPv4"`},
		{HealthCheck{Protocol: ProtocolMesosHTTP, IPProtocol: "IPv6"}, `"ipProtocol":"IPv6"`},
		{HealthCheck{Protocol: ProtocolCommand, Command: &Command{"true"}}, `"command":{"value":"true"},"ipProtocol":"IPv4"`},
	} {
		data, err := json.Marshal(tt.check)
		if err != nil {
			t.Fatal(err)
		}
		var written, wanted map[string]any
		if err := json.Unmarshal(data, &written); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte("{"+tt.want+"}"), &wanted); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ignoreHttp1xx", "ipProtocol"} {
			if written[name] != wanted[name] {
				t.Errorf("%s of %+v is written as %v, want %v", name, tt.check, written[name], wanted[name])
			}
		}
		var back HealthCheck
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(back); string(again) != string(data) || back.IPProtocol != tt.check.IPProtocol {
			t.Errorf("%s is read as %+v", data, back)
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretsStayHidden prints secrets in all the ways that people print things.
func TestSecretsStayHidden(t *testing.T) {
	const hidden = "hunter2"
	values := map[string]any{
		"secret":      secret(hidden),
		"zk":          zkURL("zk://operator:" + hidden + "@10.0.0.1:2181,10.0.0.2/mesos"),
		"zk, bare":    zkURL("operator:" + hidden + "@10.0.0.1:2181"),
		"credentials": mesosCredentials{"operator", hidden},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]t"} {
				fmt.Fprintf(&out, verb+"\n", value)
			}
			fmt.Fprintln(&out, value, &value)
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
			if err := json.NewEncoder(&out).Encode(map[string]any{"value": value}); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
				t.Errorf("the secret shows:\n%s", text)
			}
		})
	}
	info := fmt.Sprint(zooKeeperConfig(&schedulerConfig{ZK: "zk://operator:" + hidden + "@10.0.0.1:2181/rollcall"}))
	if strings.Contains(info, hidden) || !strings.Contains(info, "10.0.0.1:2181/rollcall") {
		t.Errorf("/v2/info tells %s", info)
	}
	if got := secret("").String(); got != "" {
		t.Errorf("an empty secret prints as %q", got)
	}
	if got := fmt.Sprintf("%s %q", zkURL("zk://a:1/mesos"), zkURL("zk://a:1/mesos")); got != `zk://a:1/mesos "zk://a:1/mesos"` {
		t.Errorf("without a password: %s", got)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

func TestLocalAgents(t *testing.T) {
	mine := machineAddrs()[0]
	other := netip.MustParseAddr("198.51.100.7")
	hosts := map[string][]netip.Addr{
		"good": {mine}, "debian": {netip.MustParseAddr("127.0.1.1")}, "named": {other},
	}
	find := func(_ context.Context, _, host string) ([]netip.Addr, error) {
		if found := hosts[host]; found != nil {
			return found, nil
		}
		return nil, errors.New("no such host")
	}
	for _, c := range []struct {
		name, machine string
		agent         agentConfig
		hostname      string
		address       netip.Addr
		log           string
	}{
		{"the machine's name leads to its address", "good", agentConfig{Hostname: "good"}, "good", mine, ""},
		{"it leads to a loopback address", "debian", agentConfig{Hostname: "debian"}, mine.String(), mine, "tasks get the address"},
		{"it leads nowhere", "lost", agentConfig{Hostname: "lost"}, mine.String(), mine, "tasks get the address"},
		{"a given name and address", "debian", agentConfig{Hostname: "named", Address: other}, "named", other, ""},
		{"a given name that leads elsewhere", "debian", agentConfig{Hostname: "a.example", Address: other}, "a.example", other, "will not be found"},
		{"an address for a name", "debian", agentConfig{Hostname: "127.0.1.2", Address: netip.MustParseAddr("127.0.1.2")},
			"127.0.1.2", netip.MustParseAddr("127.0.1.2"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			s := &schedulerConfig{Hostname: c.machine, Local: localConfig{Agents: []agentConfig{c.agent}}}
			got := localAgents(s, find, slog.New(slog.NewTextHandler(&log, nil)))[0]
			if got.Hostname != c.hostname || got.Address != c.address {
				t.Errorf("hostname %q, address %v", got.Hostname, got.Address)
			}
			if c.log == "" && log.Len() > 0 || !strings.Contains(log.String(), c.log) {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rollcall/records"
)

// A collision is told of once, and many of them on one line.
func TestCollisionsAreToldOnce(t *testing.T) {
	var out bytes.Buffer
	c := newCollisions(slog.New(slog.NewTextHandler(&out, nil)))
	var many []records.Collision
	for i := range 1000 {
		many = append(many, records.Collision{Name: fmt.Sprintf("n%d.f.mesos.", i), Between: []string{"a", "b"}})
	}
	for range 3 {
		c.tell(many)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "count=1000") ||
		!strings.Contains(out.String(), "n0.f.mesos. is a and b; n1.f.mesos. is a and b") || len(out.String()) > 1000 {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
	out.Reset()
	many[7].Between = []string{"a", "b", "c"}
	c.tell(many)
	if !strings.Contains(out.String(), "count=1 first=\"n7.f.mesos. is a and b and c\"") {
		t.Errorf("another party: %s", out.String())
	}
	for i := range 3 * collisionsKept {
		c.tell([]records.Collision{{Name: fmt.Sprint(i)}})
	}
	if len(c.told) > collisionsKept {
		t.Errorf("%d are kept", len(c.told))
	}
}

package api

import (
	"encoding/json"
	"testing"

	"rollcall/scheduler"
)

// definition is an app as people write them.
const definition = `{"id": "/shop/web", "cmd": "exec serve --port $PORT0", "cpus": 0.5, "mem": 256, "instances": 4,
	"env": {"MODE": "fast", "LEVEL": "info", "ZONE": "a"}, "labels": {"HAPROXY_GROUP": "external", "team": "shop"},
	"container": {"type": "DOCKER", "docker": {"image": "shop/web:1.2.3", "network": "BRIDGE",
		"portMappings": [{"containerPort": 8080, "name": "http"}, {"containerPort": 9090}]}, "volumes": []},
	"constraints": [["hostname", "UNIQUE"], ["rack", "GROUP_BY", "3"]], "dependencies": ["../db/store"],
	"healthChecks": [{"protocol": "HTTP", "path": "/health", "portIndex": 0, "gracePeriodSeconds": 30, "intervalSeconds": 10}],
	"upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5}}`

// BenchmarkReadApp is the way of a definition from its text to the form that is stored.
func BenchmarkReadApp(b *testing.B) {
	b.SetBytes(int64(len(definition)))
	b.ReportAllocs()
	for b.Loop() {
		v, err := parseJSON([]byte(definition))
		if err != nil {
			b.Fatal(err)
		}
		r := &reader{}
		o, _ := r.object(v, "")
		if readApp(o, scheduler.Root, testSettings); r.err() != nil {
			b.Fatal(r.err())
		}
	}
}

// BenchmarkWriteApp is an app, without tasks, as GET writes it.
func BenchmarkWriteApp(b *testing.B) {
	c := newCluster(b)
	c.must(201, "POST", "/v2/apps", definition)
	s := c.State()
	view := viewApp(s, s.App("/shop/web"), always, c.time())
	data, err := json.Marshal(view)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encode(view); err != nil {
			b.Fatal(err)
		}
	}
}

package mesos

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// bigSnapshot is a SUBSCRIBED event of a cluster with many tasks, each as a master tells of it.
func bigSnapshot(tasks int) []byte {
	var all strings.Builder
	for i := range tasks {
		if i > 0 {
			all.WriteByte(',')
		}
		fmt.Fprintf(&all, `{"name":"app-%d","task_id":{"value":"app.%d"},"framework_id":{"value":"f1"},"agent_id":{"value":"a-S%d"},`+
			`"state":"TASK_RUNNING","resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}},{"name":"ports",`+
			`"type":"RANGES","ranges":{"range":[{"begin":%d,"end":%d}]}}],"statuses":[{"task_id":{"value":"app.%d"},`+
			`"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","timestamp":1795255913.16,"uuid":"bUYBhz3BSXq0nChrB/qzwg==",`+
			`"container_status":{"network_infos":[{"ip_addresses":[{"protocol":"IPv4","ip_address":"10.%d.%d.%d"}]}]}}],`+
			`"discovery":{"visibility":"FRAMEWORK","name":"app-%d","ports":{"ports":[{"number":31000,"name":"http","protocol":"tcp"}]}}}`,
			i/10, i, i%5000, 31000+i%1000, 31000+i%1000, i, i>>16&255, i>>8&255, i&255, i/10)
	}
	return []byte(snapshotOf(oneAgent, oneFramework, all.String()))
}

func BenchmarkDecodeSnapshot100k(b *testing.B) {
	data := bigSnapshot(100_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := decodeEvent(bytes.NewReader(data))
		if err != nil || len(e.snapshot.tasks) != 100_000 {
			b.Fatal(err)
		}
	}
}

// One task among 100,000 changes: from the record to the change.
func BenchmarkTaskUpdatedAmong100k(b *testing.B) {
	e, err := decodeEvent(bytes.NewReader(bigSnapshot(100_000)))
	if err != nil {
		b.Fatal(err)
	}
	view := newClusterView(e.snapshot, nil)
	updates := make([]string, 2)
	for i, state := range []string{"TASK_KILLING", "TASK_RUNNING"} {
		updates[i] = strings.ReplaceAll(taskUpdated(state), `"t1"`, `"app.777"`)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e, err := decodeEvent(strings.NewReader(updates[i%2]))
		if err != nil {
			b.Fatal(err)
		}
		if c := view.apply(e); c.empty() {
			b.Fatal("nothing has changed")
		}
	}
}

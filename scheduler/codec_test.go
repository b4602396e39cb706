package scheduler

import (
	"errors"
	"strings"
	"testing"
)

// A record that cannot be read is refused by name, whatever it is: nothing may be killed on account of a state that
// is only half known.
func TestLoadRefusesDamage(t *testing.T) {
	c := newCluster(t, 1, 3)
	c.must(put(app("/a", 2), app("/g/b", 1)))
	c.settle()
	c.move(c.running("/a")[0].TaskID(), TaskFailed)
	c.settle()
	c.stall = true
	c.must(restart("/g/b"))
	c.settle()
	kinds := map[Kind]bool{}
	for id, good := range c.records {
		if id == (recordID{KindMeta, metaFramework}) { // any text will do
			continue
		}
		kinds[id.kind] = true
		for _, bad := range []string{"", "{", "null garbage", "\x00"} {
			c.records[id] = []byte(bad)
			_, err := LoadState(t.Context(), c)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), string(id.kind)) {
				t.Errorf("%v as %q: %v", id, bad, err)
			}
		}
		c.records[id] = good
	}
	for _, k := range Kinds() {
		if !kinds[k] {
			t.Errorf("no %s was tried", k)
		}
	}
	for id, good := range c.records {
		if id.kind != KindVersion {
			continue
		}
		delete(c.records, id)
		if _, err := LoadState(t.Context(), c); !errors.Is(err, ErrDamaged) && len(c.core.State().AppVersions("/g/b")) == 1 {
			t.Errorf("without %v: %v", id, err)
		}
		c.records[id] = good
	}
	if _, err := LoadState(t.Context(), c); err != nil {
		t.Errorf("undamaged: %v", err)
	}
}

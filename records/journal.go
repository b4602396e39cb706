package records

import (
	"slices"
	"time"
)

// Change is what happened to a name between two snapshots. Either node may have no RRsets; that of the SOA record is
// to be left out of account, as it changes with each serial.
type Change struct {
	Name     string
	Old, New *Node
}

// journal is how the zones came to be what they are: the changes of the last updates, oldest first. It is immutable;
// journals share what they have in common.
type journal struct {
	versions []version
	changes  int // of all versions
}

// version is a change of serials.
type version struct {
	before  []uint32 // serials by zone
	at      time.Time
	changes []nodeChange
}

// nodeChange is what an update did to the records of a name.
type nodeChange struct{ old, new *Node }

// add returns a journal with one more version and at most limit changes, of which the oldest go first.
func (j journal) add(v version, limit int) journal {
	j.versions = append(j.versions, v)
	for j.changes += len(v.changes); j.changes > limit; {
		j.changes -= len(j.versions[0].changes)
		j.versions = j.versions[1:]
	}
	return j
}

// Recent is a change and when it was made.
type Recent struct {
	Change
	At time.Time
}

// Recent gives the newest changes of all zones that the journal has, at most limit, newest first. Those of the SOA
// records, which change with each serial, are left out.
func (s *Snapshot) Recent(limit int) []Recent {
	var out []Recent
	for _, v := range slices.Backward(s.journal.versions) {
		for _, c := range slices.Backward(v.changes) {
			if len(out) == limit {
				return out
			}
			out = append(out, Recent{Change{Name: c.new.name().text(), Old: c.old, New: c.new}, v.at})
		}
	}
	return out
}

// Since gives the changes of a zone, one for each name, since it had a serial. It reports false when that is not known:
// the serial was never used, or it is too long ago.
func (s *Snapshot) Since(apex *Apex, serial uint32) ([]Change, bool) {
	if serial == apex.Serial {
		return nil, true
	}
	zone := 0
	for s.apexes[zone].wire != apex.wire {
		zone++
	}
	begin := len(s.journal.versions)
	for begin > 0 && s.journal.versions[begin-1].before[zone] != serial {
		begin--
	}
	if begin == 0 {
		return nil, false
	}
	var out []Change
	index := make(map[name]int)
	for _, v := range s.journal.versions[begin-1:] {
		for _, c := range v.changes {
			if !c.new.name().within(apex.wire) {
				continue
			}
			i, known := index[c.new.name()]
			if !known {
				i = len(out)
				index[c.new.name()] = i
				out = append(out, Change{Name: c.new.name().text(), Old: c.old})
			}
			out[i].New = c.new
		}
	}
	return out, true
}

package store

import (
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"rollcall/scheduler"
)

// checkRecords refuses what cannot be kept. Both stores refuse the same, so that tests with Memory hold for Bolt.
func checkRecords(records []scheduler.Record) error {
	for _, r := range records {
		switch {
		case !slices.Contains(scheduler.Kinds(), r.Kind):
			return fmt.Errorf("storing %s %q: there is no such kind of record", r.Kind, r.Key)
		case r.Key == "":
			return fmt.Errorf("storing a record of kind %s: it has no key", r.Kind)
		case len(r.Key) > bolt.MaxKeySize:
			return fmt.Errorf("storing %s %.40q...: the key has %d bytes, at most %d are possible",
				r.Kind, r.Key, len(r.Key), bolt.MaxKeySize)
		case len(r.Value) > bolt.MaxValueSize-sumSize:
			return fmt.Errorf("storing %s %q: the value has %d bytes, at most %d are possible",
				r.Kind, r.Key, len(r.Value), bolt.MaxValueSize-sumSize)
		}
	}
	return nil
}

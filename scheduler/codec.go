package scheduler

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Keys of KindMeta.
const (
	metaFramework = "framework-id"
	metaVersion   = "root-version"
)

// records encodes what the step changed, each thing once, in a fixed order.
func (w *work) records() []Record {
	if len(w.unsaved) == 0 {
		return nil
	}
	keys := map[Kind][]string{}
	for id := range w.unsaved {
		keys[id.kind] = append(keys[id.kind], id.key)
	}
	out := make([]Record, 0, len(w.unsaved))
	for _, kind := range sortedKeys(keys) {
		slices.Sort(keys[kind])
		for _, key := range keys[kind] {
			out = append(out, Record{kind, key, w.encode(recordID{kind, key})})
		}
	}
	return out
}

// encode is a thing's value as it is now, nil when it is gone.
func (w *work) encode(id recordID) []byte {
	switch id.kind {
	case KindMeta:
		if id.key == metaFramework {
			return []byte(w.frameworkID)
		}
		return []byte(w.version.String())
	case KindApp:
		if a := w.apps.get(id.key); a != nil {
			return []byte(a.Version.String())
		}
	case KindVersion:
		if a := w.versions.get(id.key); a != nil {
			return w.encoder.app(a)
		}
	case KindChange:
		if c := w.changes.get(id.key); c != nil {
			return w.encoder.change(c)
		}
	case KindGroup:
		return encodeOr(w.groups.get(id.key))
	case KindInstance:
		if i := w.instances.get(id.key); i != nil {
			return encodeInstance(i)
		}
	case KindDeployment:
		if d := w.deployments.get(id.key); d != nil {
			return w.encoder.deployment(d)
		}
	case KindFailure:
		return encodeOr(w.failures.get(id.key))
	}
	return nil
}

func encodeOr[T any](v *T) []byte {
	if v == nil {
		return nil
	}
	return encode(v)
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("internal error: a record that cannot be written as JSON: " + err.Error())
	}
	return data
}

// LoadState reads the state that a store holds. Deployments begin at their first step again; what is not persisted
// (health, queues, backoff) is as if nothing had been heard yet. Errors that wrap ErrDamaged name the record.
func LoadState(ctx context.Context, store Store) (*State, error) {
	l := &loader{state: NewState(), byKind: map[Kind]map[string][]byte{}}
	err := store.Load(ctx, func(r Record) error {
		if l.byKind[r.Kind] == nil {
			l.byKind[r.Kind] = map[string][]byte{}
		}
		l.byKind[r.Kind][r.Key] = r.Value
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading the state: %w", err)
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("loading the state: %w", err)
	}
	return l.state, nil
}

type loader struct {
	state  *State
	byKind map[Kind]map[string][]byte
}

func (l *loader) load() error {
	s := l.state
	meta := l.byKind[KindMeta]
	s.FrameworkID = string(meta[metaFramework])
	if v, ok := meta[metaVersion]; ok {
		if err := s.Version.UnmarshalText(v); err != nil {
			return damaged(KindMeta, metaVersion, err)
		}
	}
	var err error
	if s.groups, err = decodeAll(l, KindGroup, s.groups, nil); err != nil {
		return err
	}
	if s.versions, err = decodeAll(l, KindVersion, s.versions, nil); err != nil {
		return err
	}
	if s.changes, err = decodeAll(l, KindChange, s.changes, nil); err != nil {
		return err
	}
	if s.failures, err = decodeAll(l, KindFailure, s.failures, nil); err != nil {
		return err
	}
	if err := l.loadApps(); err != nil {
		return err
	}
	if s.instances, err = decodeAll(l, KindInstance, s.instances, l.completeInstance); err != nil {
		return err
	}
	if s.deployments, err = decodeAll(l, KindDeployment, s.deployments, l.completeDeployment); err != nil {
		return err
	}
	l.deriveQueues()
	return nil
}

func (l *loader) loadApps() error {
	apps, followers := l.state.apps.draft(), l.state.followers.draft()
	for key, value := range l.byKind[KindApp] {
		var v Timestamp
		if err := v.UnmarshalText(value); err != nil {
			return damaged(KindApp, key, err)
		}
		a := l.state.AppVersion(PathID(key), v)
		if a == nil {
			return damaged(KindApp, key, fmt.Errorf("its definition of %s is missing", v))
		}
		apps.put(key, a)
		if a.OnePerAgent {
			followers.put(key, a.ID)
		}
	}
	l.state.followers = followers.commit()
	l.state.apps = apps.commit()
	return nil
}

// completeInstance gives an instance its definition. One that is missing is damage, unless the app is gone too.
func (l *loader) completeInstance(i *Instance) error {
	i.App = l.state.AppVersion(i.AppID, i.AppVersion)
	if i.App == nil {
		i.App = l.state.App(i.AppID)
	}
	if i.App == nil {
		return fmt.Errorf("no definition of its app %s is left", i.AppID)
	}
	return nil
}

func (l *loader) completeDeployment(d *Deployment) error {
	if d.Plan == nil || len(d.Plan.Steps) == 0 {
		return fmt.Errorf("it has no steps")
	}
	locks, pending := l.state.locks.draft(), newTree[Action]().draft()
	for _, app := range d.Plan.AffectedApps() {
		locks.put(string(app), d.Plan.ID)
	}
	for _, a := range d.Plan.Steps[0].Actions {
		pending.put(string(a.App), a)
	}
	l.state.locks, d.pending = locks.commit(), pending.commit()
	return nil
}

// deriveQueues makes a launch queue for each app with instances that wait.
func (l *loader) deriveQueues() {
	queue := l.state.queue.draft()
	for i := range l.state.AllInstances() {
		if i.Condition == Scheduled && queue.get(string(i.AppID)) == nil {
			queue.put(string(i.AppID), newLaunchQueue(i.Since))
		}
	}
	l.state.queue = queue.commit()
}

func decodeAll[T any](l *loader, kind Kind, into tree[*T], complete func(*T) error) (tree[*T], error) {
	d := into.draft()
	for _, key := range sortedKeys(l.byKind[kind]) {
		v := new(T)
		err := json.Unmarshal(l.byKind[kind][key], v)
		if err == nil && complete != nil {
			err = complete(v)
		}
		if err != nil {
			return into, damaged(kind, key, err)
		}
		d.put(key, v)
	}
	return d.commit(), nil
}

func damaged(kind Kind, key string, err error) error {
	return fmt.Errorf("%w: %s %q: %v", ErrDamaged, kind, key, err)
}

func formatUUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

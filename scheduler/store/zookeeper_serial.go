package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
)

// Serials are numbers of which the leaders use each once, one after the other: a leader reserves them before it does. Its
// methods may be called from any goroutine.
type Serials struct {
	term *Term

	mu      sync.Mutex
	version int32 // of the node
}

// Serials reads how far serials have been reserved; 0: none ever were. From then on no leader before this one can reserve
// any.
func (t *Term) Serials() (s *Serials, reserved uint32, err error) {
	s = &Serials{term: t}
	for {
		data, stat, err := t.c.conn.Get(t.c.path(nodeSerials))
		if err != nil {
			return nil, 0, fmt.Errorf("reading how far the serials of the zone were used: %w", err)
		}
		if text, _, _ := strings.Cut(string(data), " "); text != "" {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return nil, 0, fmt.Errorf("%s does not hold a serial: %w", t.c.path(nodeSerials), err)
			}
			reserved = uint32(n)
		}
		s.version = stat.Version
		switch err := s.set(reserved); {
		case err == nil:
			return s, reserved, nil
		case !errors.Is(err, zk.ErrBadVersion) || !t.Valid(): // else the leader before has just reserved some more
			return nil, 0, fmt.Errorf("taking over the serials of the zone: %w", err)
		}
	}
}

// Reserve notes that the serials up to one may be used. After an error they must not be. The error wraps ErrDeposed when
// another leads.
func (s *Serials) Reserve(upTo uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.term.Valid() {
		return fmt.Errorf("reserving serials: %w", ErrDeposed)
	}
	err := s.set(upTo)
	if errors.Is(err, zk.ErrBadVersion) {
		// Another leads, or the answer to the one before was lost.
		data, stat, again := s.term.c.conn.Get(s.term.c.path(nodeSerials))
		switch {
		case again != nil:
			err = again
		case !strings.HasSuffix(string(data), " "+s.term.c.o.Self.ID):
			err = ErrDeposed
		default:
			s.version = stat.Version
			err = s.set(upTo)
		}
	}
	if err != nil {
		return fmt.Errorf("reserving serials: %w", err)
	}
	return nil
}

// set writes the node, with who did it.
func (s *Serials) set(upTo uint32) error {
	text := strconv.FormatUint(uint64(upTo), 10) + " " + s.term.c.o.Self.ID
	stat, err := s.term.c.conn.Set(s.term.c.path(nodeSerials), []byte(text), s.version)
	if err == nil {
		s.version = stat.Version
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rollcall/resolver"
)

// reload reads the configuration file again and follows what has changed in it as far as that can be done while
// rollcall runs. What is wrong with a file keeps all of it from being followed. It is called by one goroutine.
func (s *server) reload(ctx context.Context) {
	log := s.log.With("file", s.config.File)
	next, warnings, err := loadConfig(s.config.File)
	if err != nil {
		log.Error("the configuration is wrong; the last good one stays in force", "problems", problemList(err))
		return
	}
	for _, w := range warnings {
		log.Warn("something in the configuration is probably not meant", "warning", w.String())
	}
	change := changeConfig(s.inForce, next)
	if err := s.follow(ctx, change); err != nil {
		log.Error("the new configuration cannot be followed; the last good one stays in force", "error", err)
		return
	}
	s.inForce = change.inForce
	s.shown.Store(&change.inForce)
	log.Info("the configuration was read again", "took_effect", keyList(change.live))
	if len(change.restart) > 0 {
		log.Warn("some of the configuration takes effect at the next start only", "keys", keyList(change.restart))
	}
}

// follow makes all parts follow a changed configuration, or none.
func (s *server) follow(ctx context.Context, change configChange) error {
	c := change.inForce
	var (
		answers resolver.Options
		masters *mesosFollowing
		err     error
	)
	if s.dns != nil {
		if answers, err = resolverOptions(c, component(s.log, logResolver)); err != nil {
			return err
		}
	}
	if s.mesos != nil && change.masters {
		if masters, err = s.mesos.newFollowing(c.Mesos); err != nil {
			return err
		}
	}
	if err := s.zone.Reconfigure(s.zoneOptions(c)); err != nil {
		return fmt.Errorf("naming anew: %w", err)
	}
	if s.dns != nil {
		if err := s.dns.Reconfigure(answers); err != nil {
			return errors.Join(fmt.Errorf("answering anew: %w", err), s.zone.Reconfigure(s.zoneOptions(s.inForce)))
		}
	}
	if masters != nil {
		s.mesos.change(ctx, masters)
	}
	if s.httpListener != nil {
		s.setMesosDNS(c)
	}
	if s.logging != nil {
		s.logging.follow(c.Log)
	}
	return nil
}

// problemList puts everything that is wrong with a configuration on one line.
func problemList(err error) string {
	refused, ok := errors.AsType[*configError](err)
	if !ok {
		return err.Error()
	}
	texts := make([]string, len(refused.Problems))
	for i, p := range refused.Problems {
		texts[i] = p.String()
	}
	return strings.Join(texts, "; ")
}

func keyList(keys []string) string {
	if len(keys) == 0 {
		return "nothing"
	}
	return strings.Join(keys, ", ")
}

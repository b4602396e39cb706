package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"rollcall/resolver"
	"rollcall/scheduler/mesos"
	"rollcall/scheduler/zookeeper"
)

// mesosSource follows a Mesos cluster.
type mesosSource struct {
	detector mesos.Detector
	follower *mesos.Follower
	cluster  *cluster
	fallback []string      // masters to ask while ZooKeeper has not told any
	giveUp   time.Duration // how long ZooKeeper has to name a leader; 0: for ever
}

// openMesos prepares to follow the cluster that the configuration names. Nothing is asked before run.
func (s *server) openMesos() (err error) {
	m := s.config.Mesos
	client, err := newMesosClient(m)
	if err != nil {
		return fmt.Errorf("preparing to ask the Mesos masters: %w", err)
	}
	source := &mesosSource{cluster: newCluster(s.zone, mesos.NewHosts(lookUpHost))}
	if source.detector, source.fallback, err = s.detector(m); err != nil {
		return err
	}
	if _, ok := source.detector.(mesos.Static); !ok {
		source.giveUp = m.DetectionTimeout
	}
	source.follower = mesos.NewFollower(mesos.FollowerOptions{
		Client: client, Sink: mesos.NewRetainer(source.cluster, s.log), Refresh: m.Refresh, Logger: s.log,
	})
	s.mesos = source
	return nil
}

// detector is what finds the masters, and the masters to ask until it has.
func (s *server) detector(m mesosConfig) (_ mesos.Detector, fallback []string, err error) {
	where := string(m.ZK)
	if path, ok := strings.CutPrefix(where, "file://"); ok {
		data, err := readAtMost(path, maxConfigBytes)
		if err != nil {
			return nil, nil, fmt.Errorf("reading zk: %w", err)
		}
		where = string(bytes.TrimSpace(data))
	}
	switch {
	case where == "":
		return mesos.Static(m.Masters), nil, nil
	case !strings.HasPrefix(where, "zk://"):
		master, _ := parseHostPort(where) // was checked
		return mesos.Static{master}, nil, nil
	}
	url, err := zookeeper.ParseURL(where)
	if err != nil {
		return nil, nil, fmt.Errorf("zk: %w", err)
	}
	return mesos.NewZooKeeper(url, s.log), m.Masters, nil
}

// newMesosClient returns a client with the credentials and certificates of the configuration.
func newMesosClient(m mesosConfig) (*mesos.Client, error) {
	o := mesos.ClientOptions{HTTPS: m.HTTPS, StateTimeout: m.StateTimeout}
	var err error
	if o.TLS, err = mesosTLS(m); err != nil {
		return nil, err
	}
	switch m.Authentication {
	case "basic":
		o.Auth = mesos.BasicAuth{Principal: m.Credentials.Principal, Secret: string(m.Credentials.Secret)}
	case "iam":
		data, err := readAtMost(m.IAMConfigFile, maxConfigBytes)
		if err != nil {
			return nil, fmt.Errorf("reading iamConfigFile: %w", err)
		}
		var account iamConfig
		if err := json.Unmarshal(data, &account); err != nil {
			return nil, fmt.Errorf("parsing iamConfigFile: %w", err)
		}
		transport := mesos.NewTransport(o.TLS)
		if o.Auth, err = mesos.NewIAM(account.UID, string(account.PrivateKey), account.LoginEndpoint, transport); err != nil {
			return nil, fmt.Errorf("iamConfigFile: %w", err)
		}
	}
	return mesos.NewClient(o), nil
}

// mesosTLS is how https to the masters is done. As for Mesos-DNS, without caCertFile it is not known who answers.
func mesosTLS(m mesosConfig) (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: m.CACertFile == ""} //nolint:gosec // see above
	if m.CACertFile != "" {
		pem, err := readAtMost(m.CACertFile, maxConfigBytes)
		if err != nil {
			return nil, fmt.Errorf("reading caCertFile: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(pem)
	}
	if m.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(m.CertFile, m.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading certFile and keyFile: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// fallbackAfter is how long ZooKeeper has to tell of masters before those of the configuration are asked.
const fallbackAfter = time.Second

// run follows the cluster until ctx ends.
func (m *mesosSource) run(ctx context.Context, group *errgroup.Group) {
	var (
		found, led = make(chan struct{}), make(chan struct{})
		once       sync.Once
		onceLed    sync.Once
	)
	group.Go(func() error { return m.follower.Run(ctx) })
	group.Go(func() error {
		err := m.detector.Run(ctx, func(masters mesos.Masters) {
			once.Do(func() { close(found) })
			if masters.Leader != "" {
				onceLed.Do(func() { close(led) })
			}
			m.setMasters(masters)
		})
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	if len(m.fallback) > 0 {
		group.Go(func() error {
			if !happens(ctx, found, fallbackAfter) {
				m.setMasters(mesos.Masters{All: m.fallback})
			}
			return nil
		})
	}
	if m.giveUp > 0 {
		group.Go(func() error {
			if !happens(ctx, led, m.giveUp) {
				return fmt.Errorf("ZooKeeper has named no leading master within %s (zkDetectionTimeout); leave the key out to "+
					"wait for ever", m.giveUp)
			}
			return nil
		})
	}
}

// happens waits until event is closed or ctx ends, but no longer than limit. It reports whether it did not take longer.
func happens(ctx context.Context, event <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-event:
	case <-timer.C:
		return false
	}
	return true
}

func (m *mesosSource) setMasters(masters mesos.Masters) {
	m.cluster.setMasters(masters)
	m.follower.SetMasters(masters)
}

// firstAnswersWithin is how long questions wait at the start for the first state of the cluster, in the queues of the
// open sockets. It is usually there after a few milliseconds, and an answer a little later is better than none.
const firstAnswersWithin = 2 * time.Second

// waitForFirst waits for the first state, within reason.
func (m *mesosSource) waitForFirst(ctx context.Context) {
	happens(ctx, m.cluster.first, firstAnswersWithin)
}

// check says whether the cluster is known, and how old that is. What is old stays in use: it is the best there is, and
// a load balancer that took away all servers because the masters are would make it worse.
func (m *mesosSource) check() resolver.Check {
	return resolver.Check{
		Name: "mesos",
		Ready: func() error {
			if status := m.follower.Status(); status.Read.IsZero() {
				return status.Err
			}
			return nil
		},
		Detail: func() string {
			status := m.follower.Status()
			switch {
			case status.Read.IsZero():
				return ""
			case status.Err != nil:
				return fmt.Sprintf("state of %s ago: %v", age(status), status.Err)
			}
			return fmt.Sprintf("state of %s ago", age(status))
		},
	}
}

func age(s mesos.Status) time.Duration { return time.Since(s.Read).Round(time.Second) }

func lookUpHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

package main

import (
	"reflect"
	"slices"
)

// effect says what becomes of a key that says something else while rollcall runs.
type effect uint8

const (
	// effectLive takes effect at once.
	effectLive effect = iota
	// effectMasters takes effect at once by following the Mesos masters anew, if they were followed before.
	effectMasters
	// effectRestart takes effect at the next start.
	effectRestart
	// effectAll takes effect at the next start, and so do all others: some of them mean something else with it.
	effectAll
)

// configKey is a key together with where a config holds what it says.
type configKey struct {
	name   string
	effect effect
	parts  func(*config) []any // pointers, as many for each config; none where the key is of no interest
}

// configKeys are all keys. What a key stands for with Mesos-DNS's own options as well is also shown by /v1/config.
func configKeys() []configKey {
	keys := []configKey{
		{"domain", effectAll, func(c *config) []any { return []any{&c.Zone.Domain, &c.options.Domain} }},
		{"ttl", effectLive, func(c *config) []any { return []any{&c.Zone.TTL, &c.options.TTL} }},
		{"srvRecordDefaultWeight", effectLive, func(c *config) []any {
			return []any{&c.Zone.SRVWeight, &c.options.SRVRecordDefaultWeight}
		}},
		{"IPSources", effectLive, func(c *config) []any { return []any{&c.Zone.IPSources, &c.options.IPSources} }},
		{"enforceRFC952", effectLive, func(c *config) []any { return []any{&c.Zone.EnforceRFC952, &c.options.EnforceRFC952} }},
		{"SOAMname", effectLive, func(c *config) []any { return []any{&c.Zone.SOA.MName, &c.options.SOAMname} }},
		{"SOARname", effectLive, func(c *config) []any { return []any{&c.Zone.SOA.RName, &c.options.SOARname} }},
		{"SOARefresh", effectLive, func(c *config) []any { return []any{&c.Zone.SOA.Refresh, &c.options.SOARefresh} }},
		{"SOARetry", effectLive, func(c *config) []any { return []any{&c.Zone.SOA.Retry, &c.options.SOARetry} }},
		{"SOAExpire", effectLive, func(c *config) []any { return []any{&c.Zone.SOA.Expire, &c.options.SOAExpire} }},
		{"SOAMinttl", effectLive, func(c *config) []any { return []any{&c.options.SOAMinttl} }},

		{"dnson", effectRestart, func(c *config) []any { return []any{&c.DNS.On, &c.options.DNSOn} }},
		{"listener", effectRestart, func(c *config) []any { return []any{&c.DNS.Listener, &c.options.Listener} }},
		{"port", effectRestart, func(c *config) []any { return []any{&c.DNS.Port, &c.options.Port} }},
		{"recurseon", effectLive, func(c *config) []any { return []any{&c.DNS.RecursionAvailable, &c.options.RecurseOn} }},
		{"setTruncateBit", effectLive, func(c *config) []any { return []any{&c.DNS.TruncateBit, &c.options.SetTruncateBit} }},

		{"dnsCookies", effectLive, func(c *config) []any { return []any{&c.Answers.Cookies} }},
		{"dnsCookieSecret", effectLive, func(c *config) []any { return []any{&c.Answers.CookieSecret} }},
		{"serverVersion", effectLive, func(c *config) []any { return []any{&c.Answers.ServerVersion} }},
		{"serverID", effectLive, func(c *config) []any { return []any{&c.Answers.ServerID} }},
		{"localNetworks", effectLive, func(c *config) []any { return []any{&c.Answers.LocalNetworks} }},
		{"maxAnswers", effectLive, func(c *config) []any { return []any{&c.Answers.MaxAnswers} }},
		{"answerOrder", effectLive, func(c *config) []any { return []any{&c.Answers.Order} }},
		{"ownAgentFirst", effectLive, func(c *config) []any { return []any{&c.Answers.OwnAgentFirst} }},
		{"ttls", effectLive, func(c *config) []any { return []any{&c.Answers.TTLs} }},
		{"negativeTTL", effectLive, func(c *config) []any { return []any{&c.Answers.NegativeTTL} }},
		{"reverseZones", effectLive, func(c *config) []any { return []any{&c.Answers.ReverseZones} }},
		{"serialFile", effectRestart, func(c *config) []any { return []any{&c.Answers.SerialFile} }},
		{"encryption", effectRestart, func(c *config) []any { return []any{&c.Encryption} }},
		{"transfer", effectRestart, func(c *config) []any { return []any{&c.Transfer} }},
		{"zkTLS", effectRestart, func(c *config) []any { return []any{&c.Mesos.ZKTLS} }},
		{"log", effectLive, func(c *config) []any { return []any{&c.Log} }},
		{"limits", effectRestart, func(c *config) []any { return []any{&c.Limits} }},

		{"externalon", effectLive, func(c *config) []any { return []any{&c.Forward.On, &c.options.ExternalOn} }},
		{"resolvers", effectLive, func(c *config) []any {
			return []any{&c.Forward.Resolvers, &c.Forward.Secure, &c.options.Resolvers}
		}},
		{"zoneResolvers", effectLive, func(c *config) []any {
			return []any{&c.Forward.ZoneResolvers, &c.options.ZoneResolvers}
		}},
		{"resolverCAFile", effectLive, func(c *config) []any { return []any{&c.Forward.CAFile, &c.Forward.CAs} }},
		{"recursionFrom", effectLive, func(c *config) []any { return []any{&c.Forward.From} }},
		{"serveStale", effectLive, func(c *config) []any { return []any{&c.Forward.MaxStale} }},
		{"prefetch", effectLive, func(c *config) []any { return []any{&c.Forward.Prefetch} }},
		{"tcpFallback", effectLive, func(c *config) []any { return []any{&c.Forward.TCPFallback} }},
		{"mixedCase", effectLive, func(c *config) []any { return []any{&c.Forward.MixedCase} }},
		{"timeout", effectLive, func(c *config) []any { return []any{&c.Forward.Timeout, &c.options.Timeout} }},
		{"cacheSize", effectLive, func(c *config) []any { return []any{&c.Forward.CacheSize} }},

		{"httpon", effectRestart, func(c *config) []any { return []any{&c.HTTP.On, &c.options.HTTPOn} }},
		{"httplistener", effectRestart, func(c *config) []any { return []any{&c.HTTP.Listener, &c.options.HTTPListener} }},
		{"httpport", effectRestart, func(c *config) []any { return []any{&c.HTTP.Port, &c.options.HTTPPort} }},
		{"enumerationOn", effectLive, func(c *config) []any { return []any{&c.HTTP.Enumeration, &c.options.EnumerationOn} }},

		{"masters", effectMasters, func(c *config) []any { return []any{&c.Mesos.Masters, &c.options.Masters} }},
		{"zk", effectMasters, func(c *config) []any { return []any{&c.Mesos.ZK, &c.Mesos.Files.ZK, &c.options.Zk} }},
		{"zkDetectionTimeout", effectRestart, func(c *config) []any {
			return []any{&c.Mesos.DetectionTimeout, &c.options.ZkDetectionTimeout}
		}},
		{"refreshSeconds", effectMasters, func(c *config) []any { return []any{&c.Mesos.Refresh, &c.options.RefreshSeconds} }},
		{"stateTimeoutSeconds", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.StateTimeout, &c.options.StateTimeoutSeconds}
		}},
		{"mesosHTTPSOn", effectMasters, func(c *config) []any { return []any{&c.Mesos.HTTPS, &c.options.MesosHTTPSOn} }},
		{"caCertFile", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.CACertFile, &c.Mesos.Files.CACert, &c.options.CACertFile}
		}},
		{"certFile", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.CertFile, &c.Mesos.Files.Cert, &c.options.CertFile}
		}},
		{"keyFile", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.KeyFile, &c.Mesos.Files.Key, &c.options.KeyFile}
		}},
		{"mesosAuthentication", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.Authentication, &c.options.MesosAuthentication}
		}},
		{"mesosCredentials", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.Credentials, &c.options.MesosCredentials}
		}},
		{"iamConfigFile", effectMasters, func(c *config) []any {
			return []any{&c.Mesos.IAMConfigFile, &c.Mesos.Files.IAM, &c.options.IAMConfigFile}
		}},
	}
	scheduler := func(name string, e effect, part func(*schedulerConfig) any) {
		keys = append(keys, configKey{"scheduler." + name, e, func(c *config) []any {
			if c.Scheduler == nil {
				return nil
			}
			return []any{part(c.Scheduler)}
		}})
	}
	scheduler("engine", effectAll, func(s *schedulerConfig) any { return &s.Engine })
	scheduler("framework", effectRestart, func(s *schedulerConfig) any { return &s.Framework })
	scheduler("listener", effectRestart, func(s *schedulerConfig) any { return &s.Listener })
	scheduler("port", effectRestart, func(s *schedulerConfig) any { return &s.Port })
	scheduler("dataDir", effectRestart, func(s *schedulerConfig) any { return &s.DataDir })
	scheduler("zk", effectRestart, func(s *schedulerConfig) any { return &s.ZK })
	scheduler("zkSessionTimeout", effectRestart, func(s *schedulerConfig) any { return &s.ZKSessionTimeout })
	scheduler("hostname", effectRestart, func(s *schedulerConfig) any { return &s.Hostname })
	scheduler("servicePorts", effectRestart, func(s *schedulerConfig) any { return &s.ServicePorts })
	scheduler("killsInFlight", effectRestart, func(s *schedulerConfig) any { return &s.KillsInFlight })
	scheduler("allUnhealthy", effectLive, func(s *schedulerConfig) any { return &s.AllUnhealthy })
	scheduler("hosts", effectRestart, func(s *schedulerConfig) any { return &s.API.Hosts })
	scheduler("accessControlAllowOrigin", effectRestart, func(s *schedulerConfig) any { return &s.API.AllowOrigin })
	scheduler("auth", effectRestart, func(s *schedulerConfig) any { return &s.API.Auth })
	scheduler("tls", effectRestart, func(s *schedulerConfig) any { return &s.API.TLS })
	scheduler("limits", effectRestart, func(s *schedulerConfig) any { return &s.API.Limits })
	scheduler("taskPolicy", effectRestart, func(s *schedulerConfig) any { return &s.API.TaskPolicy })
	scheduler("defaultNetworkName", effectRestart, func(s *schedulerConfig) any { return &s.API.Network })
	scheduler("secretsDir", effectRestart, func(s *schedulerConfig) any { return &s.API.SecretsDir })
	scheduler(anyoneKey, effectRestart, func(s *schedulerConfig) any { return &s.API.Anyone })
	scheduler(unencryptedKey, effectRestart, func(s *schedulerConfig) any { return &s.API.Unencrypted })
	scheduler("local", effectRestart, func(s *schedulerConfig) any { return &s.Local })
	scheduler("mesos", effectRestart, func(s *schedulerConfig) any { return &s.Mesos })
	return keys
}

// configChange is what a new configuration changes while rollcall runs.
type configChange struct {
	inForce config   // from now on: the old one, with what the new one changes live
	live    []string // keys that take effect
	masters bool     // some of them by following the Mesos masters anew
	restart []string // keys that take effect at the next start
}

// changeConfig compares the configuration in force with a new one, which it takes over.
func changeConfig(old, new config) configChange {
	var changed []configKey
	all := (old.Scheduler == nil) != (new.Scheduler == nil)
	for _, k := range configKeys() {
		if was, is := k.parts(&old), k.parts(&new); len(was) == len(is) && !reflect.DeepEqual(was, is) {
			changed = append(changed, k)
			all = all || k.effect == effectAll
		}
	}
	c := configChange{inForce: new}
	if all {
		c.inForce = old
		if (old.Scheduler == nil) != (new.Scheduler == nil) {
			c.restart = append(c.restart, "scheduler")
		}
	}
	opened := old.followsMesos() != new.followsMesos()
	for _, k := range changed {
		switch {
		case all:
			c.restart = append(c.restart, k.name)
		case k.effect == effectRestart, k.effect == effectMasters && opened:
			c.restart = append(c.restart, k.name)
			was, is := k.parts(&old), k.parts(&c.inForce)
			for i := range is {
				reflect.ValueOf(is[i]).Elem().Set(reflect.ValueOf(was[i]).Elem())
			}
		default:
			c.live = append(c.live, k.name)
			c.masters = c.masters || k.effect == effectMasters
		}
	}
	slices.Sort(c.live)
	slices.Sort(c.restart)
	return c
}

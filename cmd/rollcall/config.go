package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rollcall/scheduler/mesos"
)

// config is what a configuration file says, checked and typed. Its zero value is not usable: take it from
// parseConfig, loadConfig or devConfig.
type config struct {
	File       string // absolute path of the file; "" when there is none (rollcall dev)
	Zone       zoneConfig
	DNS        dnsConfig
	Answers    answersConfig
	Encryption encryptionConfig
	Transfer   transferConfig
	Limits     limitsConfig
	Log        logConfig
	Forward    forwardConfig
	HTTP       httpConfig
	Mesos      mesosConfig
	Scheduler  *schedulerConfig // nil: DNS only, as Mesos-DNS

	options mesosDNSOptions // Mesos-DNS's own keys in its own form, for /v1/config
}

// zoneConfig is the domain that rollcall answers for.
type zoneConfig struct {
	Domain        string // lower case, no dot at either end
	TTL           uint32 // seconds
	SRVWeight     uint16
	IPSources     []string // where a task's addresses are looked for, in order
	EnforceRFC952 bool
	SOA           soaConfig
}

// soaConfig holds the fields of the SOA record. The names are absolute, lower case, with a dot at the end.
type soaConfig struct {
	MName, RName           string
	Refresh, Retry, Expire uint32 // seconds
}

// dnsConfig is the DNS server.
type dnsConfig struct {
	On                 bool
	Listener           netip.Addr
	Port               uint16 // 0: one that is free
	RecursionAvailable bool   // the RA bit of answers for the own domain
	TruncateBit        bool   // false: TC is never set
}

// forwardConfig says what becomes of names outside the domain.
type forwardConfig struct {
	On            bool                        // false: they are refused
	Resolvers     []netip.AddrPort            // none: those of /etc/resolv.conf
	ZoneResolvers map[string][]netip.AddrPort // by zone: lower case, no dot at either end
	Secure        map[netip.AddrPort]string   // those that are asked over TLS, with the names of their certificates
	CAFile        string                      // of the certificates that theirs are checked with; "": the system's
	CAs           string                      // what that file holds; filled by loadConfig
	Timeout       time.Duration               // of one question to one resolver
	CacheSize     int                         // answers kept; 0: none
	MaxStale      time.Duration               // that answers are kept after their time
	Prefetch      bool                        // answers are renewed before their time is over
	From          []netip.Prefix              // whose questions are forwarded
	TCPFallback   bool                        // false: questions go on over the transport they came over
	MixedCase     bool                        // of the letters in questions to resolvers
}

// httpConfig is Mesos-DNS's HTTP API.
type httpConfig struct {
	On          bool
	Listener    string // IP address or host name
	Port        uint16 // 0: one that is free
	Enumeration bool   // whether /v1/enumerate and /v1/axfr exist
}

// mesosConfig says where the Mesos masters are and how to ask them.
type mesosConfig struct {
	Masters           []string // host:port
	ZK                zkURL
	DetectionTimeout  time.Duration // how long ZooKeeper has at the start to name a leader; 0: for ever
	Refresh           time.Duration // between two reads of the state
	StateTimeout      time.Duration // of one read of the state
	ZKTLS             zkTLSConfig   // to ZooKeeper, also to that of the shared state
	HTTPS             bool
	CACertFile        string
	CertFile, KeyFile string
	Authentication    string // "", "basic" or "iam"
	Credentials       mesosCredentials
	IAMConfigFile     string
	Files             mesosFiles // what the files hold; filled by loadConfig
}

// followsMesos says whether the names of a Mesos cluster's tasks are answered for.
func (c *config) followsMesos() bool { return c.Mesos.ZK != "" || len(c.Mesos.Masters) > 0 }

// schedulerConfig is the scheduler core, its API and its engine.
type schedulerConfig struct {
	Engine           string // engineLocal or engineMesos
	Framework        string // its name on Mesos and in DNS
	Listener         string // of the Marathon API: IP address or host name
	Port             uint16 // 0: one that is free
	DataDir          string
	ZK               zkURL         // where several rollcalls on the Mesos engine share their state; "": state in DataDir
	ZKSessionTimeout time.Duration // how long a leader may be out of ZooKeeper's sight
	Hostname         string        // of this machine, as others are told it
	ServicePorts     portRange
	KillsInFlight    int    // tasks at a time that were told to end and have not ended
	AllUnhealthy     string // answerAll or answerNone
	API              apiConfig
	Local            localConfig
	Mesos            frameworkConfig
}

// Engines, and what a name answers when all of its tasks are known to be unhealthy.
const (
	engineLocal = "local"
	engineMesos = "mesos"

	answerAll  = "all"
	answerNone = "none"
)

// frameworkConfig is the mesos engine: what rollcall is to the Mesos masters. Where they are, and how it proves who it
// is, is mesosConfig's.
type frameworkConfig struct {
	Roles           []string // at least one; the first is that of apps that name none
	User            string   // whom tasks without a user run as; "": the user rollcall runs as
	FailoverTimeout time.Duration
	Checkpoint      bool
	GPUs            bool
	Removed         string // removedStop or removedReregister
}

// What is done when the masters have removed the framework although it had tasks.
const (
	removedStop       = "stop"
	removedReregister = "reregister"
)

// localConfig is the local engine: this machine.
type localConfig struct {
	Agents          []agentConfig           // at least one
	Cgroups         string                  // "auto" or "off"
	User            string                  // whom tasks without a user run as; "": the user rollcall runs as
	FetchTimeout    time.Duration           // of all downloads of one task
	Docker          string                  // address of the Docker Engine, "" for DOCKER_HOST or Docker's default, or "off"
	Networks        map[string]netip.Prefix // made where they are absent; the zero value leaves the subnet to Docker
	PullTimeout     time.Duration           // of one task's image
	DNS             string                  // "auto" or "off": whether containers look up names here
	SandboxMaxAge   time.Duration           // since the end of its task
	SandboxMaxBytes int64                   // of all sandboxes of ended tasks; 0: no limit
	LogMaxBytes     int64                   // of a stdout or stderr file before it is rotated
	LogFiles        int                     // the current one and the rotated ones
}

// agentConfig is one agent of the local engine.
type agentConfig struct {
	Hostname     string
	Address      netip.Addr // invalid: the engine takes the machine's first address that is not loopback, or 127.0.0.1
	Ports        []portRange
	Attributes   map[string]string
	CPUs         float64 // 0: all that the machine has; likewise Mem and Disk
	Mem, Disk    float64 // MiB
	Region, Zone string
}

// portRange is a range of port numbers, both ends included.
type portRange struct{ Min, Max uint16 }

// String returns the range as Mesos writes it, e.g. "31000-32000".
func (r portRange) String() string { return fmt.Sprintf("%d-%d", r.Min, r.Max) }

const (
	defaultCacheSize = 10_000
	mebibyte         = 1 << 20

	// maxConfigBytes keeps a wrong path (a disk, a log) from being read into memory.
	maxConfigBytes = 16 * mebibyte
)

// defaultScheduler returns the scheduler of a file that says "scheduler": {}.
func defaultScheduler() schedulerConfig {
	return schedulerConfig{
		Engine:           engineLocal,
		Framework:        "marathon",
		Listener:         "127.0.0.1",
		Port:             8080,
		DataDir:          "/var/lib/rollcall",
		Hostname:         machineName(),
		ServicePorts:     portRange{10_000, 20_000},
		KillsInFlight:    100,
		ZKSessionTimeout: 10 * time.Second,
		AllUnhealthy:     answerAll,
		API:              defaultAPI(),
		Local: localConfig{
			Agents:          []agentConfig{defaultAgent()},
			Cgroups:         "auto",
			FetchTimeout:    10 * time.Minute,
			PullTimeout:     10 * time.Minute,
			DNS:             "auto",
			SandboxMaxAge:   7 * 24 * time.Hour, // as long as Mesos's agent keeps them
			SandboxMaxBytes: 10_240 * mebibyte,
			LogMaxBytes:     10 * mebibyte,
			LogFiles:        2,
		},
		Mesos: frameworkConfig{
			Roles: []string{"*"}, FailoverTimeout: mesos.DefaultFailoverTimeout, Checkpoint: true, Removed: removedStop,
		},
	}
}

// defaultAgent returns the agent that all others are variations of. Its ports end below those that Linux takes for
// outgoing connections, and begin low enough for apps that ask for a well-known one.
func defaultAgent() agentConfig {
	return agentConfig{Ports: []portRange{{1025, 32_000}}}
}

func machineName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// devOptions are the flags of rollcall dev.
type devOptions struct {
	DNSPort, APIPort, HTTPPort uint16
	DataDir                    string
	Agents                     int
	Domain                     string
	Example                    bool // submit an example app
}

func defaultDevOptions() devOptions {
	return devOptions{
		DNSPort:  8053,
		APIPort:  8080,
		HTTPPort: 8123,
		DataDir:  "rollcall-data",
		Agents:   3,
		Domain:   "mesos",
	}
}

// devConfig returns the configuration of rollcall dev: all of it on loopback addresses, no rights needed.
func devConfig(dev devOptions) (config, error) {
	r := &report{}
	o := defaultMesosDNSOptions()
	o.Listener, o.HTTPListener = "127.0.0.1", "127.0.0.1"
	o.Port, o.HTTPPort = int(dev.DNSPort), int(dev.HTTPPort)
	o.Domain = dev.Domain
	o.adaptDefaults(map[string]bool{"domain": true}, true)
	c := o.typed(r)
	forward := defaultForwardOptions()
	forward.adaptDefaults(nil, true)
	forward.apply(&c.Forward)
	c.Answers = defaultAnswers()
	c.Limits = defaultLimits()
	c.Log = defaultLog()
	c.Encryption = defaultEncryption()

	s := defaultScheduler()
	s.Port = dev.APIPort
	s.DataDir = dev.DataDir
	if dev.Agents < 1 || dev.Agents > maxAgents {
		r.problem("agents", "%d is not %s", dev.Agents, wholeNumberText(1, maxAgents))
	}
	s.Local.Agents = numberedAgents(min(max(dev.Agents, 1), maxAgents), defaultAgent())
	s.Local.Agents[0].Address = loopbackAgent(0) // also when there is only one
	s.nameAgents()
	c.Scheduler = &s
	return c, r.err("rollcall dev")
}

// parseConfig reads a configuration from the text of the file at path, which need not exist. The error, if any, is a
// *configError with all problems; warnings come with and without it.
func parseConfig(data []byte, path string) (config, []warning, error) {
	r := &report{}
	c := decodeConfig(data, path, r)
	return c, r.warnings, r.err(path)
}

// loadConfig reads the configuration file at path and the files that it names: certificates, keys and credentials. A leading "~/" stands for the home directory.
func loadConfig(path string) (config, []warning, error) {
	r := &report{}
	path = expandHome(path, os.Getenv("HOME"))
	data, err := readAtMost(path, maxConfigBytes)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; name the file with -config=FILE, or try \"rollcall dev\", which needs none", err)
		}
		r.problem("", "%w", err)
		return config{}, nil, r.err(path)
	}
	c, warnings, err := parseConfig(data, path)
	if refused, ok := errors.AsType[*configError](err); ok {
		r.problems = refused.Problems
	}
	c.readFiles(r)
	return c, warnings, r.err(path)
}

// decodeConfig reads what data says into a config, telling r of everything that is wrong with it.
func decodeConfig(data []byte, path string, r *report) config {
	root, err := parseJSON(data)
	if err != nil {
		r.problem("", "%w", err)
		return config{}
	}
	top := node{value: root, report: r}
	if root.kind != jsonObject {
		r.problem("", "the file holds %s; it has to be one JSON object", root.kind)
		return config{}
	}

	o := defaultMesosDNSOptions()
	forward, answers := defaultForwardOptions(), defaultAnswers()
	limits, log := defaultLimits(), defaultLog()
	encryption := defaultEncryption()
	var transfer transferConfig
	var zkTLS zkTLSConfig
	var scheduler *schedulerConfig
	given := top.readLenient(slices.Concat(o.fields(), forward.fields(), answers.fields(),
		extensionFields(&encryption, &transfer, &limits, &log, &zkTLS, &scheduler)))

	o.adaptDefaults(given, scheduler != nil)
	forward.adaptDefaults(given, scheduler != nil)
	if abs, err := filepath.Abs(path); err == nil && path != "" {
		o.File = abs
	}
	c := o.typed(r)
	forward.apply(&c.Forward)
	c.Answers = answers
	c.Transfer = transfer
	c.Limits = limits
	c.Log = log
	c.Encryption = encryption
	c.Mesos.ZKTLS = zkTLS
	c.Scheduler = scheduler
	if transfer.isOn() && c.serialFile() == "" {
		r.warning("transfer", "without serialFile the serial may go back over a restart, and secondaries then keep what they have; name "+
			"a file that rollcall may write")
	}
	c.checkSources(r)
	return c
}

// extensionFields are rollcall's own keys next to Mesos-DNS's.
func extensionFields(
	encryption *encryptionConfig, transfer *transferConfig, limits *limitsConfig, log *logConfig, zkTLS *zkTLSConfig,
	scheduler **schedulerConfig,
) []field {
	return []field{
		{name: "encryption", once: true, set: encryption.read},
		{name: "transfer", once: true, set: transfer.read},
		{name: "limits", once: true, set: limits.read},
		{name: "log", once: true, set: log.read},
		{name: "zkTLS", once: true, set: zkTLS.read},
		{name: "scheduler", once: true, set: func(n node) string {
			s := defaultScheduler()
			*scheduler = &s
			return s.read(n)
		}},
	}
}

// checkSources wants something to get tasks from and something to do with them.
func (c *config) checkSources(r *report) {
	noMasters := len(c.options.Masters) == 0 && c.options.Zk == "" && !r.blames("masters") && !r.blames("zk")
	switch {
	case noMasters && c.Scheduler == nil && !r.blames("scheduler"):
		r.problem("masters", "neither masters nor zk nor scheduler is given: name the Mesos masters (\"masters\": "+
			"[\"host:5050\"] or \"zk\": \"zk://host:2181/mesos\"), or run apps on this machine (\"scheduler\": {})")
	case noMasters && c.Scheduler != nil && c.Scheduler.Engine == engineMesos:
		r.problem("masters", "neither masters nor zk is given at the top level: the mesos engine needs one of them to "+
			"find the Mesos masters")
	case c.Scheduler != nil && c.Scheduler.Engine == engineLocal && c.Scheduler.ZK != "":
		r.problem("scheduler.zk", "the local engine runs apps on this machine only, so there is no state to share: leave "+
			"the key out, or set scheduler.engine to \"mesos\"")
	}
	if c.Scheduler == nil && !c.DNS.On && !c.HTTP.On && !r.blames("scheduler") {
		r.problem("dnson", "false, and httpon is false as well: nothing is left to do; set one of them to true")
	}
}

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall/cmd/rollcall/cli"
)

// Commands of the program. Without one it serves.
const (
	commandServe      = "serve"
	commandDev        = "dev"
	commandCheck      = "check"
	commandSeeds      = "seeds"
	commandMigrate    = "migrate"
	commandVersion    = "version"
	commandHelp       = "help"
	commandCompletion = "completion"
	commandManual     = "manual"
	commandClient     = "client"    // any of package cli
	commandSupervise  = "supervise" // internal: watches over one task, outliving the rollcall that started it
)

// command is what the arguments ask for.
type command struct {
	Name       string // one of the constants above
	ConfigPath string // for serve and check
	Verbosity  int    // 0: usual; above: everything
	Dev        devOptions
	Seeds      seedsOptions
	Migrate    migrateOptions
	Dir        string   // for supervise: the directory of the task
	Shell      string   // for completion
	Args       []string // for client: from the noun on
	Usage      string   // for help: the text to print
}

// Exit codes.
const (
	exitOK      = 0
	exitRefused = 1 // the configuration is refused, or running it failed
	exitUsage   = 2 // the arguments make no sense
	// Those above are of package cli.
)

// usageError says that the arguments make no sense. Its text ends with where to read on.
type usageError struct {
	problem string
	command string // whose flags were being read
}

// Error returns what is wrong and how to get help.
func (e *usageError) Error() string {
	help := "rollcall -h"
	if e.command != commandServe {
		help = "rollcall " + e.command + " -h"
	}
	return fmt.Sprintf("%s (see %q)", e.problem, help)
}

// exitCode returns the code to exit with after err.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return cli.ExitCode(err)
}

var usageServe = `usage: rollcall [-config=config.json] [-v=1]
       rollcall dev [-agents=3] [-dns-port=8053] [-api-port=8080] [-http-port=8123] ...
       rollcall check [-config=config.json]
       rollcall seeds NAME [-min=3] [-port=4300 | -srv] [-timeout=60s] ...
       rollcall migrate marathon -from URL -to URL ...
       rollcall app|group|deployment|task|agent|dns|debug COMMAND ...
       rollcall completion bash|fish|zsh
       rollcall help [COMMAND ...]
       rollcall manual
       rollcall version

Runs apps, as Marathon does, and serves their names in DNS, as Mesos-DNS does.
Without a command it reads the configuration file and starts the server.

  dev      runs everything on loopback addresses of this machine, without a configuration file
  check    lists what is wrong with a configuration file, and starts nothing
  seeds    waits until a name has enough addresses, and prints them
  migrate  takes over the apps of a Marathon, and its running tasks if you like
  version  prints the version

Commands that talk to a running rollcall ("rollcall app -h" explains those for apps):

` + cli.Overview() + `
  completion  prints a script with which a shell completes commands
  manual      prints the manual page, for man(1)

  -config FILE  the configuration file (default config.json)
  -v[=N]        log everything that happens (N may be 1 or 2, as with Mesos-DNS, and makes no difference)
  -version      print the version
  -h            print this text; after a command, its help

The flags of Mesos-DNS's log library are accepted and do nothing: -logtostderr, -alsologtostderr,
-stderrthreshold, -log_dir, -vmodule, -log_backtrace_at. The log goes to stderr.

Exit codes: 0 stopped as asked, 1 configuration refused or failed, 2 wrong arguments.
`

const usageDev = `usage: rollcall dev [flags]

Runs everything on this machine: virtual agents that run processes, the Marathon API, DNS and Mesos-DNS's HTTP API,
all on loopback addresses. It needs neither a configuration file nor root.

  -agents N       number of virtual agents, at 127.0.1.1, 127.0.1.2, ... (default 3)
  -api-port N     port of the Marathon API on 127.0.0.1 (default 8080; -port means the same)
  -data-dir DIR   where state and sandboxes are kept (default rollcall-data)
  -dns-port N     port of DNS on 127.0.0.1, UDP and TCP (default 8053)
  -domain NAME    the domain of the tasks' names (default mesos)
  -example        submit a small example app, /hello
  -http-port N    port of Mesos-DNS's HTTP API on 127.0.0.1 (default 8123)
  -v[=N]          log everything that happens
`

const usageCheck = `usage: rollcall check [-config=config.json]

Reads the configuration file and the files that it names, and prints everything that is wrong, one problem per line.
It starts nothing.

  -config FILE  the configuration file (default config.json)

Exit codes: 0 the file is good, 1 it is refused, 2 wrong arguments.
`

const usageVersion = `usage: rollcall version

Prints the version.
`

const usageCompletion = `usage: rollcall completion bash|fish|zsh

Prints a script with which a shell completes commands, flags, and ids, for which it asks the API. To load it:

  bash  source <(rollcall completion bash)
  zsh   source <(rollcall completion zsh)
  fish  rollcall completion fish | source
`

const usageManual = `usage: rollcall manual

Prints the manual page: rollcall manual | man -l -
`

// usageOf is the help of a command of this package.
var usageOf = map[string]string{commandDev: usageDev, commandCheck: usageCheck, commandSeeds: usageSeeds, commandMigrate: usageMigrate,
	commandVersion: usageVersion, commandCompletion: usageCompletion, commandManual: usageManual}

// parseArgs reads the arguments of the program, without its name. The error, if any, is a *usageError.
func parseArgs(args []string) (command, error) {
	c := command{Name: commandServe, ConfigPath: "config.json", Dev: defaultDevOptions(), Seeds: defaultSeedsOptions()}
	version := false
	flags := c.newFlags()
	flags.StringVar(&c.ConfigPath, "config", c.ConfigPath, "")
	flags.BoolVar(&version, "version", false, "")
	rest, err := c.parse(flags, args)
	switch {
	case err != nil || c.Name == commandHelp:
		return c, err
	case version:
		c.Name = commandVersion
		return c, nil
	case len(rest) == 0:
		return c, nil
	}
	return c.parseCommand(rest[0], rest[1:])
}

// parseCommand reads the arguments that follow the name of a command.
func (c command) parseCommand(name string, args []string) (command, error) {
	if cli.Has(name) {
		c.Name, c.Args = commandClient, append([]string{name}, args...)
		return c, nil
	}
	names := []string{commandDev, commandCheck, commandSeeds, commandMigrate, commandVersion, commandHelp, commandCompletion,
		commandManual}
	if name == commandHelp && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		// "help app scale" is "app scale -h".
		return c.parseCommand(args[0], append(slices.Clone(args[1:]), "-h"))
	}
	if !slices.Contains(names, name) && name != commandSupervise {
		hint := ""
		if best := cli.Nearest(name, append(names, cli.Nouns()...)); best != "" {
			hint = fmt.Sprintf("; did you mean %q?", best)
		} else if strings.HasSuffix(name, ".json") {
			hint = fmt.Sprintf("; did you mean -config=%s?", name)
		}
		return c, &usageError{fmt.Sprintf("unknown command %s%s", quoteBrief(name), hint), commandServe}
	}
	c.Name = name
	flags := c.newFlags()
	switch name {
	case commandDev:
		c.Dev.define(flags)
	case commandCheck:
		flags.StringVar(&c.ConfigPath, "config", c.ConfigPath, "")
	case commandSeeds:
		return c.parseSeeds(flags, args)
	case commandMigrate:
		return c.parseMigrate(flags, args)
	}
	rest, err := c.parse(flags, args)
	switch {
	case err != nil || c.Name == commandHelp && name != commandHelp:
		return c, err
	case name == commandHelp:
		c.Usage = usageServe
	case name == commandSupervise && len(rest) == 1:
		c.Dir = rest[0]
		return c, nil
	case name == commandSupervise:
		return c, &usageError{"supervise takes one directory", commandServe}
	case name == commandCompletion && len(rest) == 1 && slices.Contains(cli.Shells(), rest[0]):
		c.Shell = rest[0]
		return c, nil
	case name == commandCompletion:
		return c, &usageError{"completion takes a shell: " + strings.Join(cli.Shells(), ", "), commandCompletion}
	}
	if len(rest) > 0 {
		return c, &usageError{fmt.Sprintf("unexpected argument %s", quoteBrief(rest[0])), name}
	}
	return c, nil
}

func (o *devOptions) define(flags *flag.FlagSet) {
	flags.Var((*portFlag)(&o.DNSPort), "dns-port", "")
	flags.Var((*portFlag)(&o.APIPort), "api-port", "")
	flags.Var((*portFlag)(&o.APIPort), "port", "")
	flags.Var((*portFlag)(&o.HTTPPort), "http-port", "")
	flags.StringVar(&o.DataDir, "data-dir", o.DataDir, "")
	flags.BoolVar(&o.Example, "example", o.Example, "")
	flags.Func("agents", "", func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxAgents {
			return errors.New(wholeNumberText(1, maxAgents) + " is needed")
		}
		o.Agents = n
		return nil
	})
	flags.Func("domain", "", func(text string) error {
		if !isDomain(text) {
			return errors.New("labels of letters, digits and dashes, joined by single dots, are needed")
		}
		o.Domain = text
		return nil
	})
}

// newFlags returns the flags that every command has.
func (c *command) newFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("rollcall", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var((*verbosityFlag)(&c.Verbosity), "v", "")
	for _, name := range []string{"logtostderr", "alsologtostderr"} {
		flags.Bool(name, false, "")
	}
	for _, name := range []string{"stderrthreshold", "log_dir", "vmodule", "log_backtrace_at"} {
		flags.String(name, "", "")
	}
	return flags
}

// parse reads the flags at the beginning of args and returns what follows them. When help is asked for, the command
// becomes that.
func (c *command) parse(flags *flag.FlagSet, args []string) ([]string, error) {
	err := flags.Parse(joinVerbosity(args))
	if errors.Is(err, flag.ErrHelp) {
		c.Usage = cmp.Or(usageOf[c.Name], usageServe)
		c.Name = commandHelp
		return nil, nil
	}
	if err != nil {
		return nil, &usageError{strings.Replace(err.Error(), "flag provided but not defined:", "unknown flag", 1), c.Name}
	}
	return flags.Args(), nil
}

// joinVerbosity writes "-v 2" as "-v=2": glog's flag takes the next argument, but the many scripts that say
// "-v -config=..." do not mean it to.
func joinVerbosity(args []string) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		if (args[i] == "-v" || args[i] == "--v") && i+1 < len(args) {
			if _, err := strconv.ParseUint(args[i+1], 10, 31); err == nil {
				joined = append(joined, args[i]+"="+args[i+1])
				i++
				continue
			}
		}
		joined = append(joined, args[i])
	}
	return joined
}

// verbosityFlag is a number that may be left out, and a boolean.
type verbosityFlag int

// String returns the number.
func (v *verbosityFlag) String() string { return strconv.Itoa(int(*v)) }

// IsBoolFlag lets the flag stand without a value.
func (v *verbosityFlag) IsBoolFlag() bool { return true }

// Set takes a number or a boolean.
func (v *verbosityFlag) Set(text string) error {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		*v = verbosityFlag(n)
		return nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("a number, true or false is needed")
	}
	*v = 0
	if on {
		*v = 1
	}
	return nil
}

// portFlag is a port to listen on; 0 takes one that is free.
type portFlag uint16

// String returns the number.
func (p *portFlag) String() string { return strconv.Itoa(int(*p)) }

// Set takes a number from 0 to 65535.
func (p *portFlag) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errors.New(wholeNumberText(0, math.MaxUint16) + " is needed")
	}
	*p = portFlag(n)
	return nil
}

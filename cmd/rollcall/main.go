// Command rollcall runs apps, as Marathon does, and answers for their names in DNS, as Mesos-DNS does.
//
// This package reads the configuration and joins the parts: the scheduler and its engine, the zone, the resolver and
// the two HTTP APIs. docs/configuration.md describes the file and the flags.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"rollcall/cmd/rollcall/cli"
	"rollcall/scheduler/local"
)

// version and buildRef are set by the build (Makefile).
var (
	version  = "dev"
	buildRef = "unknown"
)

func main() {
	shareProcessor()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !cli.Silent(err) {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exitCode(err))
}

// run does what the arguments ask for, until it is done or ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseArgs(args)
	if err != nil {
		return err
	}
	switch c.Name {
	case commandHelp:
		_, err = io.WriteString(stdout, c.Usage)
		return err
	case commandVersion:
		_, err = fmt.Fprintln(stdout, version)
		return err
	case commandCheck:
		return runCheck(c.ConfigPath, stdout, stderr)
	case commandSupervise:
		return local.Supervise([]string{c.Dir})
	case commandCompletion:
		_, err = io.WriteString(stdout, cli.Completion(c.Shell, usages()))
		return err
	case commandManual:
		_, err = io.WriteString(stdout, cli.Manual(version, usageServe, usages()))
		return err
	case commandClient:
		return cli.Run(ctx, c.Args, cli.Environment{Stdin: os.Stdin, Stdout: stdout, Stderr: stderr, Getenv: os.Getenv,
			Interval: cli.Interval})
	case commandSeeds:
		return runSeeds(ctx, c.Seeds, stdout)
	case commandMigrate:
		return runMigrate(ctx, c, stdout, stderr)
	case commandDev:
		return runDev(ctx, c, stdout, stderr)
	}
	return serve(ctx, c, stderr)
}

// usages are the help of all commands.
func usages() []cli.Usage {
	return append([]cli.Usage{
		{Words: []string{commandDev}, About: "everything on this machine on loopback addresses", Text: usageDev},
		{Words: []string{commandCheck}, About: "says what is wrong with a configuration file", Text: usageCheck},
		{Words: []string{commandSeeds}, About: "waits until enough tasks answer to a name", Text: usageSeeds},
		{Words: []string{commandMigrate, migrateMarathon}, About: "brings the apps of a Marathon over", Text: usageMigrate},
		{Words: []string{commandVersion}, About: "prints the version", Text: usageVersion},
		{Words: []string{commandCompletion}, About: "prints a script that has a shell complete commands", Choices: cli.Shells(), Text: usageCompletion},
		{Words: []string{commandManual}, About: "prints the manual page", Text: usageManual},
	}, cli.Usages()...)
}

// serve runs what the configuration file says, until ctx ends. SIGHUP has the file read again.
func serve(ctx context.Context, c command, stderr io.Writer) error {
	hangups := make(chan os.Signal, 1) // those that come while the file is read are one
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	configured, warnings, err := loadConfig(c.ConfigPath)
	for _, w := range warnings {
		fmt.Fprintf(stderr, "%s: warning: %s\n", c.ConfigPath, w)
	}
	if err != nil {
		return err
	}
	l := newLogging(c.Verbosity)
	l.follow(configured.Log)
	s, err := newServer(configured, l.logger(stderr))
	if err != nil {
		return err
	}
	s.logging = l
	return s.run(ctx, hangups)
}

package main

import (
	"flag"
	"fmt"
)

// migrateMarathon is what can be migrated from.
const migrateMarathon = "marathon"

// migrateOptions say where apps come from and where they go.
type migrateOptions struct {
	From, FromFile string // one of them: URL of a Marathon, or a file with what it said
	CACert         string // that Marathon's certificate is checked with; "": the system's
	To             string // URL of a rollcall
	Adopt          bool   // into the state of the configuration, with the tasks that run, instead of To
	Save           string // file to keep what was read in
	DryRun         bool
	Partial        bool
	Suspended      bool
}

const usageMigrate = `usage: rollcall migrate marathon -from URL [-save FILE]
       rollcall migrate marathon -from URL | -from-file FILE  -to URL [-dry-run] [-partial] [-suspended]
       rollcall migrate marathon -from URL | -from-file FILE  -adopt -config=config.json [-dry-run]

Reads the groups and apps of a Marathon. With -to it creates them in a running rollcall, which starts new tasks. With
-adopt it writes them, Marathon's framework id and the running tasks into the empty state of a rollcall that is not
running yet; start that rollcall after you have stopped Marathon, and it takes over these tasks on Mesos.
It lists what cannot be brought over, and why.

  -from URL        of the Marathon, such as http://user:password@marathon:8080
  -from-file FILE  what -save wrote; with -to also an answer of Marathon to GET /v2/groups or /v2/apps
  -cacert FILE     certificates to trust in Marathon's place, in PEM form
  -save FILE       keep what was read, as a backup
  -to URL          of the rollcall; credentials come from ROLLCALL_USER and ROLLCALL_PASSWORD, or ROLLCALL_TOKEN
  -adopt           write into the empty state that -config names, with the tasks that run
  -config FILE     the configuration file of the rollcall that is to adopt (default config.json)
  -dry-run         say what would be brought over and what not, and change nothing
  -partial         with -to: bring over what can be
  -suspended       with -to: no app starts anything, all have 0 instances

Exit codes: 0 brought over (or with -dry-run: all could be), 1 it cannot be, or not all of it, 2 wrong arguments,
3 and 4 where Marathon or rollcall answers 404 or 409.
`

// parseMigrate reads the arguments of rollcall migrate, whose flags may also stand before what is migrated from.
func (c command) parseMigrate(flags *flag.FlagSet, args []string) (command, error) {
	o := &c.Migrate
	flags.StringVar(&o.From, "from", "", "")
	flags.StringVar(&o.FromFile, "from-file", "", "")
	flags.StringVar(&o.CACert, "cacert", "", "")
	flags.StringVar(&o.Save, "save", "", "")
	flags.StringVar(&o.To, "to", "", "")
	flags.BoolVar(&o.Adopt, "adopt", false, "")
	flags.StringVar(&c.ConfigPath, "config", c.ConfigPath, "")
	flags.BoolVar(&o.DryRun, "dry-run", false, "")
	flags.BoolVar(&o.Partial, "partial", false, "")
	flags.BoolVar(&o.Suspended, "suspended", false, "")
	var words []string
	for rest := args; ; {
		var err error
		if rest, err = c.parse(flags, rest); err != nil || c.Name == commandHelp {
			return c, err
		}
		if len(rest) == 0 {
			break
		}
		words, rest = append(words, rest[0]), rest[1:]
	}
	problem := o.problem()
	switch {
	case len(words) == 0:
		problem = "what to migrate from is missing: marathon"
	case words[0] != migrateMarathon:
		problem = fmt.Sprintf("only marathon can be migrated from, not %s", quoteBrief(words[0]))
	case len(words) > 1:
		problem = fmt.Sprintf("unexpected argument %s", quoteBrief(words[1]))
	}
	if problem != "" {
		return c, &usageError{problem, commandMigrate}
	}
	return c, nil
}

// problem says why the options make no sense together, "": they do.
func (o *migrateOptions) problem() string {
	switch {
	case (o.From == "") == (o.FromFile == ""):
		return "one of -from and -from-file is needed"
	case o.To != "" && o.Adopt:
		return "-to and -adopt exclude each other: a rollcall that runs has a state of its own"
	case o.To == "" && !o.Adopt && o.Save == "":
		return "where to is missing: -to, -adopt or -save"
	case o.To == "" && (o.Partial || o.Suspended):
		return "-partial and -suspended are for -to"
	}
	return ""
}

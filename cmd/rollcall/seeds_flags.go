package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// maxSeeds is how many seeds can be waited for: more addresses than fit into an answer never come.
const maxSeeds = 4096

const usageSeeds = `usage: rollcall seeds NAME [flags]

Looks up a name in DNS until it has enough addresses, and prints them on one line, in ascending order. Use it in the
entrypoint of a program that must be told its seeds. It asks any DNS server: no rollcall has to run on this machine.

  -min N           how many addresses are enough (default 1)
  -port N          print address:N instead of addresses
  -srv             NAME has SRV records: print the address and port of each
  -sep TEXT        separator (default ",")
  -timeout TIME    how long to keep asking, such as 90s or 5m (default 60s); 0 asks once
  -server IP[:N]   DNS server to ask (default: those in /etc/resolv.conf)

IPv6 addresses are printed only for names without IPv4 addresses. Flags may stand before or after NAME.

Exit codes: 0 printed, 1 too few were found in time, 2 wrong arguments.
`

// parseSeeds reads the arguments of rollcall seeds, whose flags may also follow the name.
func (c command) parseSeeds(flags *flag.FlagSet, args []string) (command, error) {
	c.Seeds.define(flags)
	for {
		rest, err := c.parse(flags, args)
		if err != nil || c.Name == commandHelp {
			return c, err
		}
		if len(rest) == 0 {
			break
		}
		if c.Seeds.Name != "" {
			return c, &usageError{fmt.Sprintf("unexpected argument %s", quoteBrief(rest[0])), commandSeeds}
		}
		if _, ok := dns.IsDomainName(rest[0]); !ok {
			return c, &usageError{fmt.Sprintf("%s is not a name that DNS can have", quoteBrief(rest[0])), commandSeeds}
		}
		c.Seeds.Name, args = rest[0], rest[1:]
	}
	switch {
	case c.Seeds.Name == "":
		return c, &usageError{"the name to ask for is missing", commandSeeds}
	case c.Seeds.SRV && c.Seeds.Port != 0:
		return c, &usageError{"-srv and -port exclude each other: SRV records tell the ports", commandSeeds}
	}
	return c, nil
}

func (o *seedsOptions) define(flags *flag.FlagSet) {
	flags.Func("min", "", func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSeeds {
			return errors.New(wholeNumberText(1, maxSeeds) + " is needed")
		}
		o.Min = n
		return nil
	})
	flags.Func("port", "", func(text string) error {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return errors.New(wholeNumberText(1, math.MaxUint16) + " is needed")
		}
		o.Port = uint16(n)
		return nil
	})
	flags.BoolVar(&o.SRV, "srv", o.SRV, "")
	flags.StringVar(&o.Separator, "sep", o.Separator, "")
	flags.Func("timeout", "", func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return errors.New("a duration such as 90s or 5m is needed")
		}
		o.Timeout = d
		return nil
	})
	flags.Func("server", "", func(text string) (err error) {
		if o.Server, err = parseResolver(text); err != nil {
			return errors.New("an IP address is needed, or one with a port")
		}
		return nil
	})
}

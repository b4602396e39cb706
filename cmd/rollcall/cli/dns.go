package cli

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func dnsNoun() noun {
	return noun{"dns", "names", []verb{
		{name: "lookup", args: "NAME [TYPE]", about: "asks rollcall's DNS server for a name, as a client would see it", prepare: lookUp},
		{name: "watch", args: "NAME [TYPE]", about: "prints the records of a name, and then their changes", plain: true,
			more: "It asks twice a second until you stop it; changes in between are not seen.", prepare: watchName},
	}}
}

// question is the query for the arguments NAME [TYPE].
func question(args []string) url.Values {
	q := url.Values{"name": {args[0]}}
	if len(args) > 1 {
		q.Set("type", strings.ToUpper(args[1]))
	}
	return q
}

func lookUp(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var found client.Lookup
		if done, err := s.ask(ctx, "/rollcall/dns", question(args), &found); done || err != nil {
			return err
		}
		fmt.Fprintf(s.err, "%s says %s\n", found.Server, found.Status)
		for _, r := range found.Answer {
			if _, err := fmt.Fprintf(s.out, "%s %d %s %s\n", r.Name, r.TTL, r.Type, r.Data); err != nil {
				return err
			}
		}
		return nil
	}
}

func watchName(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var status string
		var present []string
		for {
			var found client.Lookup
			if err := s.client.Get(ctx, "/rollcall/dns", question(args), &found); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
			if found.Status != status {
				status = found.Status
				fmt.Fprintf(s.err, "%s says %s\n", found.Server, status)
			}
			next := records(found.Answer)
			for _, line := range changes(s.paint, present, next) {
				if _, err := fmt.Fprintln(s.out, line); err != nil {
					return err
				}
			}
			present = next
			if s.pause(ctx) != nil {
				return nil
			}
		}
	}
}

// records writes records, each once, in an order that does not depend on the server's.
func records(all []client.Record) []string {
	var texts []string
	for _, r := range all {
		texts = append(texts, r.Name+" "+r.Type+" "+r.Data)
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// changes tells which of the sorted texts go and which come.
func changes(p paint, old, next []string) []string {
	var lines []string
	for _, text := range old {
		if _, stays := slices.BinarySearch(next, text); !stays {
			lines = append(lines, p.red("- "+text))
		}
	}
	for _, text := range next {
		if _, was := slices.BinarySearch(old, text); !was {
			lines = append(lines, p.green("+ "+text))
		}
	}
	return lines
}

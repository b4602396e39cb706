package cli

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"rollcall/cmd/rollcall/client"
)

const agentsText = `"Used" counts the tasks of this scheduler. The total of a Mesos agent comes from the master; it is shown as "?" until
that has been asked, and always with Marathon. Memory and disk are in MiB.`

func agentNoun() noun {
	return noun{"agent", "machines that run tasks", []verb{
		{name: "list", about: "lists the agents with used and total resources", more: agentsText, prepare: listAgents},
	}}
}

func listAgents(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, _ []string) error {
		var answer struct{ Agents []client.Agent }
		if done, err := s.ask(ctx, "/rollcall/agents", nil, &answer); done || err != nil {
			return err
		}
		var rows [][]string
		for _, a := range answer.Agents {
			var attributes []string
			for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
				attributes = append(attributes, name+"="+a.Attributes[name])
			}
			total := cmp.Or(a.Total, &client.Resources{CPUs: math.NaN(), Mem: math.NaN(), Disk: math.NaN()})
			rows = append(rows, []string{a.Hostname, a.Address, strconv.Itoa(a.Tasks), share(a.Used.CPUs, total.CPUs), share(a.Used.Mem, total.Mem),
				share(a.Used.Disk, total.Disk), strings.Join(attributes, " ")})
		}
		return s.table([]string{"HOSTNAME", "ADDRESS", "TASKS", "CPUS", "MEM", "DISK", "ATTRIBUTES"}, rows)
	}
}

// share is what is used of a quantity, NaN: one that is not known.
func share(used, total float64) string {
	if math.IsNaN(total) {
		return number(used) + "/?"
	}
	return number(used) + "/" + number(total)
}

package cli

import (
	"context"
	"flag"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rollcall/cmd/rollcall/client"
)

func agentNoun() noun {
	return noun{"agent", "machines that run tasks", []verb{
		{name: "list", about: "lists the agents and what the tasks on them use", prepare: listAgents},
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
			rows = append(rows, []string{a.Hostname, a.Address, strconv.Itoa(a.Tasks), number(a.Used.CPUs), number(a.Used.Mem), strings.Join(attributes, " ")})
		}
		return s.table([]string{"HOSTNAME", "ADDRESS", "TASKS", "CPUS", "MEM", "ATTRIBUTES"}, rows)
	}
}

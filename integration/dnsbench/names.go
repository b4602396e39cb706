package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The names that are asked for: 5,000, of which 80 % have one to three addresses, 10 % three SRV records, and 10 % do
// not exist.
const (
	addressNames = 4000
	serviceNames = 500
	missingNames = 500

	agents = 200
	domain = "mesos"
	ttl    = 60
)

// writeQuestions writes the questions as dnsperf reads them, in an order that has nothing to do with that of the names.
func writeQuestions(file, zone string) error {
	var lines []string
	for i := range addressNames {
		lines = append(lines, fmt.Sprintf("app-%d.marathon.%s A\n", i, zone))
	}
	for i := range serviceNames {
		lines = append(lines, fmt.Sprintf("_service-%d._tcp.marathon.%s SRV\n", i, zone))
	}
	for i := range missingNames {
		lines = append(lines, fmt.Sprintf("missing-%d.marathon.%s A\n", i, zone))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600)
}

// writeZone writes a zone file with the records of a rollcall, as its HTTP API lists them, below another domain.
func writeZone(file, api, zone string, ttl int) error {
	response, err := http.Get(api + "/v1/axfr")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var listed struct {
		Records map[string]map[string][]string
	}
	if err := json.NewDecoder(response.Body).Decode(&listed); err != nil {
		return err
	}
	moved := func(name string) string { return strings.TrimSuffix(name, domain+".") + zone + "." }
	lines := []string{
		fmt.Sprintf("%s. %d IN SOA ns1.%s. root.ns1.%s. 1 60 600 86400 %d\n", zone, ttl, zone, zone, ttl),
		fmt.Sprintf("%s. %d IN NS ns1.%s.\n", zone, ttl, zone),
	}
	for kind, names := range listed.Records {
		for name, values := range names {
			for _, value := range values {
				if kind == "SRVs" {
					at := strings.LastIndexByte(value, ':')
					port, err := strconv.Atoi(value[at+1:])
					if err != nil {
						return fmt.Errorf("the SRV record %q of %s: %w", value, name, err)
					}
					lines = append(lines, fmt.Sprintf("%s %d IN SRV 0 1 %d %s\n", moved(name), ttl, port, moved(value[:at])))
					continue
				}
				lines = append(lines, fmt.Sprintf("%s %d IN %s %s\n", moved(name), ttl, strings.TrimSuffix(kind, "s"), value))
			}
		}
	}
	slices.Sort(lines[1:])
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o644) // servers may run as somebody else
}

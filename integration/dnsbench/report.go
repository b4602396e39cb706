package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// report writes a table for each measurement, in Markdown. Ratios are to rollcall's.
func (b *bench) report(w io.Writer) {
	for _, m := range measurements(b.rate, b.idle) {
		heading := "\n**%s**\n\n| server | CPU µs a question | rollcall's is | range | questions/s | lost %% | reply octets |\n|---|---|---|---|---|---|---|\n"
		if m.latencies {
			heading = "\n**%s**\n\n| server | 99th percentile, µs | rollcall's is | range |\n|---|---|---|---|\n"
		}
		value := func(r result) float64 { return r.cost }
		if m.latencies {
			value = func(r result) float64 { return r.percentile }
		}
		ours := b.results[resultKey{m.name, "rollcall"}]
		if len(ours) == 0 {
			continue
		}
		fmt.Fprintf(w, heading, m.name)
		for _, s := range b.servers {
			if s.processors != m.processors {
				continue
			}
			results := b.results[resultKey{m.name, s.name}]
			if len(results) == 0 {
				continue
			}
			slices.SortFunc(results, func(a, b result) int { return cmp.Compare(value(a), value(b)) })
			least, most := value(results[0]), value(results[len(results)-1])
			ratio := median(ours, value) / median(results, value)
			if m.latencies {
				fmt.Fprintf(w, "| %s | %.0f | × %.2f | %.0f-%.0f |\n", s.name, median(results, value), ratio, least, most)
				continue
			}
			fmt.Fprintf(w, "| %s | %.2f | × %.2f | %.2f-%.2f | %.0f | %.2f | %.0f |\n", s.name, median(results, value), ratio, least, most,
				median(results, func(r result) float64 { return r.rate }), median(results, func(r result) float64 { return r.lost }),
				median(results, func(r result) float64 { return r.replySize }))
		}
		b.compare(w, m, ours, value)
	}
}

// compare writes how a measurement of rollcall differs from the one that it is to be compared with.
func (b *bench) compare(w io.Writer, m measurement, ours []result, value func(result) float64) {
	other := b.results[resultKey{m.than, "rollcall"}]
	if m.than == "" || len(other) == 0 {
		return
	}
	what := "a question"
	if m.latencies {
		what = "the 99th percentile"
	}
	fmt.Fprintf(w, "\nWithout that %s takes %.4g µs: it is × %.2f.", what, median(other, value), median(ours, value)/median(other, value))
	if m.changing {
		rate := func(r result) float64 { return r.rate }
		fmt.Fprintf(w, " Questions a second are × %.2f.", median(ours, rate)/median(other, rate))
	}
	if m.idle > 0 {
		fmt.Fprintf(w, " Each connection takes %.1f KB of memory.", median(ours, func(r result) float64 { return r.idleMemory })/1e3)
	}
	fmt.Fprintln(w)
}

// median is the median of a value of results.
func median(results []result, value func(result) float64) float64 {
	values := make([]float64, len(results))
	for i, r := range results {
		values[i] = value(r)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// difference is one thing that applying a definition changes.
type difference struct {
	App  string `json:"app"`
	Path string `json:"path,omitempty"` // "" is the whole app
	Old  any    `json:"old,omitempty"`  // nil: is not there yet
	New  any    `json:"new,omitempty"`  // nil: is taken away
}

// compare tells what applying a definition changes of an app, nil: there is none yet. What the definition does not
// mention stays, but for what lies within something that it does mention.
func compare(id string, present, wanted definition) []difference {
	var all []difference
	if present == nil {
		all = append(all, difference{App: id, New: "app"})
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if key != "id" && key != "version" && key != "versionInfo" {
			all = append(all, compareValues(id, key, present[key], wanted[key])...)
		}
	}
	return all
}

func compareValues(app, path string, present, wanted any) []difference {
	if same(present, wanted) {
		return nil
	}
	switch wanted := wanted.(type) {
	case map[string]any:
		have, _ := present.(map[string]any)
		if len(wanted) == 0 && len(have) == 0 {
			return nil
		}
		var all []difference
		keys := maps.Clone(wanted)
		maps.Copy(keys, have)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			value, mentioned := wanted[key]
			if mentioned {
				all = append(all, compareValues(app, path+"."+key, have[key], value)...)
			} else if !filledIn(path, key, have[key]) {
				all = append(all, difference{App: app, Path: path + "." + key, Old: have[key]})
			}
		}
		return all
	case []any:
		have, ok := present.([]any)
		if !ok && present != nil || len(have) != len(wanted) || !holdsObjects(wanted) {
			break
		}
		var all []difference
		for n := range wanted {
			all = append(all, compareValues(app, fmt.Sprintf("%s[%d]", path, n), have[n], wanted[n])...)
		}
		return all
	}
	return []difference{{App: app, Path: path, Old: present, New: wanted}}
}

func holdsObjects(list []any) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
}

// same tells whether two values mean the same: numbers by their value, and what is empty like what is not there.
func same(a, b any) bool {
	if empty(a) && empty(b) {
		return true
	}
	x, isNumber := a.(json.Number)
	y, areNumbers := b.(json.Number)
	if isNumber && areNumbers {
		u, err := x.Float64()
		v, err2 := y.Float64()
		return err == nil && err2 == nil && u == v
	}
	return reflect.DeepEqual(a, b)
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// serverDefaults are what Marathon fills in where a definition that mentions what is around them does not mention them
// (docs/docs/rest-api of Marathon: health checks, readiness checks, upgrade strategy, fetch).
var serverDefaults = map[string][]string{
	"delaySeconds": {"15"}, "gracePeriodSeconds": {"300"}, "intervalSeconds": {"60", "30"}, "timeoutSeconds": {"20", "10"},
	"maxConsecutiveFailures": {"3"}, "minimumHealthCapacity": {"1"}, "maximumOverCapacity": {"1"},
	"protocol": {`"tcp"`, `"HTTP"`}, "path": {`"/"`}, "httpStatusCodesForReady": {"[200]"}, "extract": {"true"},
	"name": {`"default"`, `"readinessCheck"`}, "portName": {`"http-api"`}, "portIndex": {"0"}, "type": {`"DOCKER"`},
}

// assigned are members that the server chooses where they are not mentioned.
var assigned = []string{"port", "servicePort", "hostPort", "containerPort"}

// filledIn tells whether a value that the definition does not mention is what the server filled in.
func filledIn(path, key string, v any) bool {
	if path == "env" || path == "labels" || strings.HasSuffix(path, ".labels") {
		return false
	}
	return empty(v) || v == false || v == "" || v == json.Number("0") || slices.Contains(assigned, key) ||
		slices.Contains(serverDefaults[key], brief(v))
}

// brief writes a value as JSON.
func brief(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// printDifferences shows what will change, an app at a time.
func printDifferences(p paint, all []difference) []string {
	var lines []string
	app := ""
	for _, d := range all {
		if d.Path == "" {
			app = d.App
			if d.New != nil {
				lines = append(lines, p.green("+ "+d.App))
			} else {
				lines = append(lines, p.red("- "+d.App))
			}
			continue
		}
		if d.App != app {
			app = d.App
			lines = append(lines, "  "+d.App)
		}
		switch {
		case d.Old == nil:
			lines = append(lines, p.green("  + "+d.Path+": "+brief(d.New)))
		case d.New == nil:
			lines = append(lines, p.red("  - "+d.Path+": "+brief(d.Old)))
		default:
			lines = append(lines, p.yellow("  ~ "+d.Path+": "+brief(d.Old)+" -> "+brief(d.New)))
		}
	}
	return lines
}

package main

import (
	"fmt"
	"slices"
	"strings"
)

// problem is one reason to refuse a configuration.
type problem struct {
	Key string // path of the key, e.g. "scheduler.local.agents[1].address"; "": the file as a whole
	Err error  // what was found and what is allowed
}

// String returns the problem as one line.
func (p problem) String() string {
	if p.Key == "" {
		return p.Err.Error()
	}
	return p.Key + ": " + p.Err.Error()
}

// warning is something in a configuration that is probably not what its writer meant.
type warning struct {
	Key, Text string
}

// String returns the warning as one line.
func (w warning) String() string { return w.Key + ": " + w.Text }

// configError lists everything that is wrong with one configuration.
type configError struct {
	Path     string // of the file, as the caller named it
	Problems []problem
}

// Error returns one line for each problem, each beginning with the path of the file.
func (e *configError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = e.Path + ": " + p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single problems.
func (e *configError) Unwrap() []error {
	errs := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		errs[i] = p.Err
	}
	return errs
}

// report collects problems and warnings while a configuration is read.
type report struct {
	problems []problem
	warnings []warning
}

func (r *report) problem(key, format string, args ...any) {
	r.problems = append(r.problems, problem{key, fmt.Errorf(format, args...)})
}

func (r *report) warning(key, format string, args ...any) {
	r.warnings = append(r.warnings, warning{key, fmt.Sprintf(format, args...)})
}

// blames says whether there is a problem with the value of key or with a part of it.
func (r *report) blames(key string) bool {
	return slices.ContainsFunc(r.problems, func(p problem) bool {
		rest, found := strings.CutPrefix(p.Key, key)
		return found && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// err returns the problems as an error, nil when there are none.
func (r *report) err(path string) error {
	if len(r.problems) == 0 {
		return nil
	}
	return &configError{path, r.problems}
}

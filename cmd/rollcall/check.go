package main

import (
	"fmt"
	"io"
)

// runCheck is rollcall check: it reads the configuration file at path as a start would and does nothing else.
// Warnings go to stderr, "PATH: ok" to stdout. The error it returns lists all problems, each on a line of its own;
// printing it is left to the caller.
func runCheck(path string, stdout, stderr io.Writer) error {
	_, warnings, err := loadConfig(path)
	for _, w := range warnings {
		if _, err := fmt.Fprintf(stderr, "%s: warning: %s\n", path, w); err != nil {
			return fmt.Errorf("printing warnings: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "%s: ok\n", path); err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return nil
}

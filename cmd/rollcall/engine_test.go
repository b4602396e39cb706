package main

import "testing"

func TestMesosFrameworkID(t *testing.T) {
	for id, want := range map[string]bool{
		"43a9f170-a8a5-4cd0-a960-2e786f9f5890-0000":  true,
		"43a9f170-a8a5-4cd0-a960-123456789012-12345": true,
		"20140709-112233-16777343-5050-1234-0000":    true, // of Mesos before 0.23
		"43a9f170-a8a5-4cd0-a960-2e786f9f5890":       false,
		"43a9f170-a8a5-4cd0-a960-123456789012":       false, // a UUID all the same
		"marathon":                                   false,
	} {
		if got := isMesosFrameworkID(id); got != want {
			t.Errorf("%s: %t, want %t", id, got, want)
		}
	}
}

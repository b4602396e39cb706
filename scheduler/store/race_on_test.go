//go:build race

package store

// raceDetector says whether the race detector is on.
const raceDetector = true

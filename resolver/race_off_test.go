//go:build !race

package resolver

// raceDetector says whether the race detector is on, which takes memory of its own.
const raceDetector = false

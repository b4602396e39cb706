// Package enginetest is the contract of scheduler.Engine as tests. Every engine passes them, run from the tests of its
// own package; the core may rely on what they say, whichever engine it has.
package enginetest

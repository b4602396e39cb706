// Package integration tests rollcall from outside: the built binary with real processes, dig, curl and files, and the
// repository itself. ROLLCALL_BINARY names the binary; "make integration" builds it and sets that.
package integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// resolvedRecipe is what docs/recipes.md has for systemd-resolved.
const resolvedRecipe = `    [Resolve]
    DNS=127.0.0.1:8053
    Domains=~mesos ~10.in-addr.arpa
    DNSSEC=no
`

// startResolved runs systemd-resolved with the recipe, beside the machine's own if there is one: in a mount namespace,
// where /run is its own and the user that it changes to exists, without D-Bus, and at another port.
func startResolved(t *testing.T, dir, port, host, rollcallPort string) {
	require(t, "unshare", "sh")
	recipes, err := os.ReadFile("../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(recipes), resolvedRecipe) {
		t.Fatalf("docs/recipes.md does not have this configuration:\n%s", resolvedRecipe)
	}
	program := resolvedProgram(t, dir)
	config := strings.ReplaceAll(strings.ReplaceAll(resolvedRecipe, "    ", ""), "127.0.0.1:8053", host+":"+rollcallPort)
	config += fmt.Sprintf("DNSStubListener=no\nDNSStubListenerExtra=127.0.0.1:%s\nLLMNR=no\nMulticastDNS=no\nCache=no\n", port)
	for name, line := range map[string]string{"passwd": "systemd-resolve:x:0:0::/:/usr/sbin/nologin\n", "group": "systemd-resolve:x:0:\n"} {
		known, err := os.ReadFile("/etc/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(known), "systemd-resolve:") {
			known = append(known, line...)
		}
		file(t, dir, name, string(known))
	}
	drop := file(t, dir, "rollcall.conf", config)
	serve(t, "unshare", "--mount", "sh", "-ec", `
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/resolve /run/systemd/resolved.conf.d
		cp "$1" /run/systemd/resolved.conf.d/rollcall.conf
		mount --bind "$2/passwd" /etc/passwd
		mount --bind "$2/group" /etc/group
		exec "$3"`, "sh", drop, dir, program)
}

// resolvedProgram finds systemd-resolved, or unpacks Debian's package of it: to install that would have the whole machine
// ask it.
func resolvedProgram(t *testing.T, dir string) string {
	t.Helper()
	const path = "lib/systemd/systemd-resolved"
	if _, err := os.Stat("/" + path); err == nil {
		return "/" + path
	}
	missing := func(why string, err error) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s: %v", why, err)
		}
		t.Skipf("NOT TRIED WITH systemd-resolved: %s: %v", why, err)
	}
	if os.Geteuid() != 0 {
		missing("it takes root", os.ErrPermission)
	}
	download := exec.CommandContext(t.Context(), "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "systemd-resolved")
	download.Dir = dir
	if out, err := download.CombinedOutput(); err != nil {
		missing("its package cannot be had: "+string(out), err)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "systemd-resolved_*.deb"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("%v, %v: want one package", packages, err)
	}
	unpacked := filepath.Join(dir, "unpacked")
	run(t, "dpkg-deb", "-x", packages[0], unpacked)
	return filepath.Join(unpacked, path)
}

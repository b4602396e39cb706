package client

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const profilesFile = `{"default": "dev", "profiles": {
	"dev": {"url": "http://dev:8080"},
	"prod": {"url": "https://a,https://b", "user": "u", "passwordFile": "password", "cacert": "ca.pem"}}}`

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := write("profiles.json", profilesFile, 0o644)
	write("password", "secret\n", 0o600)
	prod := Address{URL: "https://a,https://b", User: "u", Password: "secret", PasswordFile: "password", CACert: filepath.Join(dir, "ca.pem")}
	inHome := filepath.Join(dir, "home", ".config", "rollcall")
	if err := os.MkdirAll(inHome, 0o700); err != nil {
		t.Fatal(err)
	}
	write("home/.config/rollcall/profiles.json", `{"default": "h", "profiles": {"h": {"url": "h"}}}`, 0o600)
	for _, tt := range []struct {
		name   string
		choice Choice
		env    string
		want   Address
	}{
		{"nothing is said", Choice{}, "", Address{URL: DefaultURL}},
		{"the flag goes before all", Choice{URL: "f"}, "ROLLCALL_URL=e MARATHON_URL=m ROLLCALL_PROFILES=" + file, Address{URL: "f"}},
		{"a profile by flag goes before the environment", Choice{Profile: "prod"}, "ROLLCALL_URL=e ROLLCALL_PROFILES=" + file, prod},
		{"ROLLCALL_URL", Choice{}, "ROLLCALL_URL=e MARATHON_URL=m ROLLCALL_PROFILE=prod ROLLCALL_PROFILES=" + file, Address{URL: "e"}},
		{"ROLLCALL_PROFILE", Choice{}, "MARATHON_URL=m ROLLCALL_PROFILE=prod ROLLCALL_PROFILES=" + file, prod},
		{"MARATHON_URL", Choice{}, "MARATHON_URL=m ROLLCALL_PROFILES=" + file, Address{URL: "m"}},
		{"the default profile", Choice{}, "ROLLCALL_PROFILES=" + file, Address{URL: "http://dev:8080"}},
		{"profiles at home", Choice{}, "HOME=" + filepath.Join(dir, "home"), Address{URL: "h"}},
		{"a profile's password goes to no other URL", Choice{URL: "f"}, "ROLLCALL_PROFILE=prod ROLLCALL_PROFILES=" + file, Address{URL: "f"}},
		{"who asks, by environment", Choice{URL: "f"}, "ROLLCALL_USER=x ROLLCALL_PASSWORD=y", Address{URL: "f", User: "x", Password: "y"}},
		{"a token goes before a password", Choice{URL: "f", CACert: "c"}, "ROLLCALL_USER=x ROLLCALL_TOKEN=t ROLLCALL_CACERT=d", Address{URL: "f", Token: "t", CACert: "c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Find(tt.choice, environment(tt.env))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		choice     Choice
		want       string
	}{
		{"no such profile", profilesFile, 0o600, Choice{Profile: "test"}, `has no profile "test"; it has dev, prod`},
		{"secrets that others may read", `{"profiles": {"a": {"url": "u", "token": "t"}}}`, 0o640, Choice{}, "chmod 600"},
		{"an unknown key", `{"profile": {}}`, 0o600, Choice{}, `unknown field "profile"`},
		{"no URL", `{"profiles": {"a": {}}}`, 0o600, Choice{}, `profile "a" has no url`},
		{"a secret that is not there", `{"profiles": {"a": {"url": "u", "tokenFile": "none"}}}`, 0o600, Choice{Profile: "a"}, "reading a secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := write(strings.ReplaceAll(tt.name, " ", "-")+".json", tt.text, tt.mode)
			if err := os.Chmod(file, tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Find(tt.choice, environment("ROLLCALL_PROFILES="+file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func environment(text string) func(string) string {
	return func(name string) string {
		for field := range strings.FieldsSeq(text) {
			if value, ok := strings.CutPrefix(field, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

package local

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoginsAreNotTold reads files of logins that cannot be used: what is said of them, which is the message of a task,
// does not repeat the login.
func TestLoginsAreNotTold(t *testing.T) {
	const password = "xyzzyhunter2"
	encoded := base64.StdEncoding.EncodeToString([]byte(password))
	for _, text := range []string{
		`{"auths": {"registry.example": {"auth": "` + password + `"}}}`,
		`{"auths": {"registry.example": {"auth": "` + encoded + `"}}}`,
		`{"auths": {"registry.example": {"auth": "` + encoded + `!"}}}`,
		`{"auths": {"registry.example": "` + password + `"}}`,
		`{"auths": {"registry.example": {"password": ["` + password + `"]}}}`,
		`{"auths": "` + password + `"}`,
		`{"auths": {"registry.example": {"password": "` + password,
		password,
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, loginFile)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		auth, err := registryAuth("registry.example/web:1", dir)
		if err == nil {
			t.Errorf("%s is taken for a login: %s", text, auth)
		} else if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), encoded) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	tests := []struct {
		name, text             string
		stdout, stderr, failed string // with PATH for the path
	}{
		{"good", `{"scheduler": {}}`, "PATH: ok\n", "", ""},
		{"good with a warning", `{"scheduler": {}, "email": "x"}`, "PATH: ok\n",
			"PATH: warning: email: does nothing: Mesos-DNS no longer reads it; the mailbox of the zone is SOARname\n", ""},
		{"refused, with files that are missing too", `{"masters": ["a:1"], "ttl": "x", "caCertFile": "/nonexistent/ca.pem", "certFile": "/nonexistent/c", "keyFile": "/nonexistent/k"}`, "", "",
			"PATH: ttl: \"x\" is not a whole number from -2147483648 to 2147483647\n" +
				"PATH: caCertFile: open /nonexistent/ca.pem: no such file or directory\n" +
				"PATH: certFile: loading it together with keyFile: open /nonexistent/c: no such file or directory"},
		{"a zk file that is missing", `{"zk": "file:///nonexistent/zk"}`, "", "",
			"PATH: zk: open /nonexistent/zk: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			writeFile(t, path, tt.text)
			var stdout, stderr bytes.Buffer
			failed := ""
			if err := runCheck(path, &stdout, &stderr); err != nil {
				failed = err.Error()
			}
			for _, part := range []struct{ name, got, want string }{
				{"stdout", stdout.String(), tt.stdout}, {"stderr", stderr.String(), tt.stderr}, {"error", failed, tt.failed},
			} {
				if want := strings.ReplaceAll(part.want, "PATH", path); part.got != want {
					t.Errorf("%s:\n%s\nwant:\n%s", part.name, part.got, want)
				}
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, in("text"), "no certificate")
	writeFile(t, in("iam"), `{"uid": "rollcall", "private_key": "hunter2", "login_endpoint": "https://192.0.2.1/login"}`)
	writeFile(t, in("iam-cut"), `{"uid": "rollcall"}`)
	writeFile(t, in("zk"), "zk://10.0.0.1:2181,10.0.0.2:2181/mesos\n")
	tests := []struct {
		name    string
		options mesosDNSOptions
		want    string // the key that is blamed; "" for none
	}{
		{"nothing", mesosDNSOptions{}, ""},
		{"no certificate in it", mesosDNSOptions{CACertFile: in("text")}, "caCertFile"},
		{"a directory", mesosDNSOptions{CACertFile: dir}, "caCertFile"},
		{"not a key pair", mesosDNSOptions{CertFile: in("text"), KeyFile: in("text")}, "certFile"},
		{"IAM", mesosDNSOptions{IAMConfigFile: in("iam"), MesosAuthentication: "iam"}, ""},
		{"IAM, incomplete but not used", mesosDNSOptions{IAMConfigFile: in("iam-cut")}, ""},
		{"IAM, incomplete", mesosDNSOptions{IAMConfigFile: in("iam-cut"), MesosAuthentication: "iam"}, "iamConfigFile"},
		{"IAM, not JSON", mesosDNSOptions{IAMConfigFile: in("text")}, "iamConfigFile"},
		{"zk in a file", mesosDNSOptions{Zk: zkURL("file://" + in("zk"))}, ""},
		{"no zk in the file", mesosDNSOptions{Zk: zkURL("file://" + in("text"))}, "zk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &report{}
			c := config{Mesos: tt.options.mesos(&report{})}
			c.readFiles(r)
			if got := r.err("config.json"); (tt.want == "") != (got == nil) || tt.want != "" && !r.blames(tt.want) {
				t.Errorf("got %v, want a problem with %q", got, tt.want)
			}
		})
	}
}

func TestExpandHome(t *testing.T) {
	for _, tt := range []struct{ path, home, want string }{
		{"~/a.json", "/home/u", "/home/u/a.json"},
		{"~/a.json", "/home/u/", "/home/u/a.json"},
		{"~/a.json", "", "~/a.json"},
		{"~u/a.json", "/home/u", "~u/a.json"},
		{"/x/~/a.json", "/home/u", "/x/~/a.json"},
	} {
		if got := expandHome(tt.path, tt.home); got != tt.want {
			t.Errorf("expandHome(%q, %q) = %q, want %q", tt.path, tt.home, got, tt.want)
		}
	}
}

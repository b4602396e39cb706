package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// canaries are secrets that are looked for in everything that rollcall says: each is a word that stands nowhere else.
type canaries struct {
	t     *testing.T
	words map[string][]string // what the secret is for -> how it may be written
}

// new returns a secret of so many letters, and looks for it from now on, plain and encoded.
func (c *canaries) new(kind string, length int) string {
	word := strings.Repeat(fmt.Sprintf("canary%02d", len(c.words)), length/8+1)[:length]
	c.add(kind, word)
	return word
}

func (c *canaries) add(kind, word string) {
	c.words[kind] = []string{word, hex.EncodeToString([]byte(word)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(word)), "=")}
}

// look fails the test where a secret shows.
func (c *canaries) look(where string, data []byte) {
	c.t.Helper()
	for kind, forms := range c.words {
		for _, form := range forms {
			if at := bytes.Index(data, []byte(form)); at >= 0 {
				c.t.Errorf("%s shows the %s: %s", where, kind, data[max(0, at-100):min(len(data), at+len(form)+20)])
				break
			}
		}
	}
}

// TestNoSecretIsShown has a secret of each kind in the configuration, its files, an app and requests, lets things succeed
// and fail with them, and looks for them in every answer, event, log line and file that is made to be handed on.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secrets := &canaries{t: t, words: map[string][]string{}}
	c := newConfig(dir)
	scheduler := c["scheduler"].(map[string]any)
	c["log"] = map[string]any{"level": "debug"}

	key := secrets.new("TSIG key", 32)
	c["transfer"] = map[string]any{"keys": []any{map[string]any{"name": "key", "secret": base64.StdEncoding.EncodeToString([]byte(key))}},
		"secondaries": []any{map[string]any{"address": "127.0.0.1:9", "key": "key"}}}
	cookies := secrets.new("secret of the cookies", 16)
	c["dnsCookieSecret"] = hex.EncodeToString([]byte(cookies))
	// Masters and ZooKeeper are away, so that there is much to complain about.
	c["zk"] = "zk://mesos:" + secrets.new("password of ZooKeeper", 24) + "@127.0.0.1:9/mesos"
	c["masters"] = []string{"127.0.0.1:9"}
	c["refreshSeconds"] = 1
	c["mesosAuthentication"] = "basic"
	c["mesosCredentials"] = map[string]any{"principal": "rollcall", "secret": secrets.new("Mesos secret", 24)}

	password, token := secrets.new("password of a user", 24), secrets.new("token of a user", 24)
	users, credentials := filepath.Join(dir, "users.json"), filepath.Join(dir, "credentials")
	writeFile(t, users, `{"users": [{"name": "ops", "password": "`+password+`", "roles": [{"role": "admin", "path": "/"}]},
		{"name": "ci", "token": "`+token+`", "roles": [{"role": "read", "path": "/"}]}]}`)
	writeFile(t, credentials, "marathon:"+secrets.new("http credentials", 24)+"\n")
	scheduler["auth"] = map[string]any{"usersFile": users, "httpCredentialsFile": credentials}
	scheduler["secretsDir"] = filepath.Join(dir, "secrets")
	if err := os.MkdirAll(filepath.Join(dir, "secrets", "shop"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "secrets", "shop", "db"), secrets.new("secret of an app", 24)+"\n")
	wrongToken, wrongPassword := secrets.new("token that nobody has", 24), secrets.new("password that nobody has", 24)

	d := start(t, c)
	d.user, d.password = "ops", password
	events := follow(t, d)
	app := `{"id": "/shop/web", "cpus": 0.01, "mem": 16, "env": {"DB": {"secret": "db"}}, "secrets": {"db": {"source": "shop/db"}}, "cmd": `
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", app+`"test -n \"$DB\" && exec sleep 1000"}`)
	d.eventually("the task runs with its secret", func() bool { return len(d.tasks("/shop/web")) == 1 })
	d.must(http.StatusOK, http.MethodPut, "/v2/apps/shop/web", `{"labels": {"changed": "true"}}`)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", strings.Replace(app, "/shop/web", "/shop/fails", 1)+`"exit 3"}`)
	d.must(http.StatusCreated, http.MethodPost, "/v2/apps", strings.Replace(app, "/shop/web", "/shop/waits", 1)+`"x", "constraints": [["hostname", "LIKE", "nowhere"]]}`)
	d.must(http.StatusOK, http.MethodPut, "/v2/groups/shop?dryRun=true", `{"apps": []}`)
	var failed struct {
		App struct{ LastTaskFailure *struct{ Message string } }
	}
	d.eventually("a task has failed", func() bool {
		d.get("/v2/apps/shop/fails", &failed)
		return failed.App.LastTaskFailure != nil
	})
	d.eventually("the masters are complained about", func() bool { return strings.Contains(d.output(), "127.0.0.1:9") })

	var document struct {
		Paths map[string]map[string]any
	}
	d.get("/v2/openapi.json", &document)
	asked := 0
	for path, methods := range document.Paths {
		if methods["get"] == nil || strings.HasSuffix(path, "/events") {
			continue
		}
		for _, shown := range []struct{ name, value string }{{"{id}", "shop/web"}, {"{group}", "shop"}, {"{version}", versionOf(d)}, {"{file}", ""},
			{"{task}", d.tasks("/shop/web")[0].ID}} {
			if shown.value == "" && strings.Contains(path, shown.name) {
				path = ""
			}
			path = strings.ReplaceAll(path, shown.name, shown.value)
		}
		if path == "" || path == "/" {
			continue
		}
		for _, query := range []string{"", "?embed=apps.tasks&embed=apps.taskStats&embed=apps.lastTaskFailure&embed=apps.readiness&embed=lastUnusedOffers" +
			"&embed=progress&embed=caution&embed=group.apps&embed=group.groups&embed=group.apps.tasks&embed=group.apps.lastTaskFailure"} {
			status, header, answer := d.request(http.MethodGet, path+query, "")
			secrets.look("GET "+path+query, append(answer, fmt.Sprint(header)...))
			if status == http.StatusOK {
				asked++
			}
		}
	}
	if asked < 40 {
		t.Errorf("only %d answers were looked at", asked)
	}
	for _, path := range []string{"/debug/config", "/debug/log", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline",
		"/v2/apps/shop/fails", "/v2/apps/shop/waits", "/v2/apps/shop/fails/tasks"} {
		secrets.look("GET "+path, d.must(http.StatusOK, http.MethodGet, path, ""))
	}
	for _, path := range []string{"/v1/config", "/v1/version", "/v1/enumerate", "/v1/axfr", "/v1/hosts/web.shop.marathon.mesos"} {
		answer, err := http.Get(d.http + path)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		secrets.look("GET "+path, data)
	}
	t.Run("refusals", func(t *testing.T) { refusals(d, secrets, wrongToken, wrongPassword) })
	t.Run("bundle", func(t *testing.T) { bundle(t, d, secrets, password) })
	t.Run("misconfigured", func(t *testing.T) { misconfigured(t, secrets) })
	secrets.look("the event stream", events())
	secrets.look("the log", []byte(d.output()))
}

// versionOf is the version of the app that is looked at.
func versionOf(d *daemon) string {
	var versions struct{ Versions []string }
	d.get("/v2/apps/shop/web/versions", &versions)
	return versions.Versions[len(versions.Versions)-1]
}

// follow reads the event stream until the function that it returns is called, which returns what came.
func follow(t *testing.T, d *daemon) func() []byte {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.api+"/v2/events?plan-format=full", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(d.user, d.password)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var came bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() {
		if _, err := io.Copy(&came, answer.Body); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("reading the event stream: %v", err)
		}
	})
	return func() []byte {
		stop()
		reading.Wait()
		answer.Body.Close()
		if !bytes.Contains(came.Bytes(), []byte("event: status_update_event")) {
			t.Error("the event stream told nothing of tasks")
		}
		return came.Bytes()
	}
}

// refusals sends what is refused, with secrets in it that the answer and the log must not repeat.
func refusals(d *daemon, secrets *canaries, token, password string) {
	for _, header := range []string{"Bearer " + token, "token=" + token,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("ops:"+password)), "Basic " + password} {
		r, err := http.NewRequest(http.MethodGet, d.api+"/v2/apps", nil)
		if err != nil {
			d.t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			d.t.Fatal(err)
		}
		data, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusUnauthorized {
			d.t.Errorf("%d %v", answer.StatusCode, err)
		}
		secrets.look("the answer to "+strings.Fields(header)[0], append(data, fmt.Sprint(answer.Header)...))
	}
}

// bundle looks into the file that is made for whoever is to find out what is wrong.
func bundle(t *testing.T, d *daemon, secrets *canaries, password string) {
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	command := exec.Command(binary, "debug", "bundle", file, "-url", strings.Replace(d.api, "://", "://ops:"+password+"@", 1))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	secrets.look("rollcall debug bundle", out)
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	for archive := tar.NewReader(unpacked); ; parts++ {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(header.Name, "problems.txt") && (!bytes.HasPrefix(data, []byte("/readyz: ")) || bytes.Count(data, []byte("\n")) != 1) {
			t.Errorf("problems, besides that it is not ready without masters: %s", data)
		}
		if profile, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			if data, err = io.ReadAll(profile); err != nil {
				t.Fatal(err)
			}
		}
		secrets.look(header.Name+" of the bundle", data)
	}
	if parts < 10 {
		t.Errorf("the bundle has %d parts", parts)
	}
}

// misconfigured gives secrets a form in which they are refused: what is said of them must not repeat them.
func misconfigured(t *testing.T, secrets *canaries) {
	dir := t.TempDir()
	broken := func(name, format string) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, fmt.Sprintf(format, secrets.new(name, 24)))
		return path
	}
	users, credentials, iam := broken("users", `{"users": [{"name": "a", "password": %q, "roles": 3}]}`), broken("credentials", "%s"),
		broken("iam", `{"uid": "a", "private_key": %q, "login_endpoint": "http://127.0.0.1:9/"}`)
	for name, change := range map[string]func(c, scheduler map[string]any){
		"TSIG key": func(c, _ map[string]any) {
			c["transfer"] = map[string]any{"keys": []any{map[string]any{"name": "k", "secret": secrets.new("bad TSIG key", 24) + "!"}}}
		},
		"cookies":       func(c, _ map[string]any) { c["dnsCookieSecret"] = secrets.new("bad secret of the cookies", 24) },
		"zk":            func(c, _ map[string]any) { c["zk"] = "zk://u:" + secrets.new("bad zk", 24) + "@:x/" },
		"zk of another": func(c, _ map[string]any) { c["zk"] = "http://u:" + secrets.new("bad zk scheme", 24) + "@h:1/" },
		"scheduler.zk":  func(_, s map[string]any) { s["zk"] = "zk://u:" + secrets.new("bad scheduler.zk", 24) + "@:x" },
		"credentials":   func(c, _ map[string]any) { c["mesosCredentials"] = secrets.new("credentials that are a text", 24) },
		"Mesos secret": func(c, _ map[string]any) {
			c["mesosCredentials"] = map[string]any{"principal": 3, "secret": []string{secrets.new("secret that is a list", 24)}}
		},
		"authentication": func(c, _ map[string]any) {
			c["mesosAuthentication"], c["iamConfigFile"], c["masters"] = "iam", iam, []string{"127.0.0.1:9"}
		},
		"users": func(_, s map[string]any) { s["auth"] = map[string]any{"usersFile": users} },
		"user":  func(_, s map[string]any) { s["auth"] = map[string]any{"httpCredentialsFile": credentials} },
	} {
		c := newConfig(dir)
		change(c, c["scheduler"].(map[string]any))
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "config.json")
		writeFile(t, path, string(data))
		for _, arguments := range [][]string{{"check", "-config=" + path}, {"-config=" + path}} {
			out, err := exec.CommandContext(t.Context(), binary, arguments...).CombinedOutput()
			if err == nil && arguments[0] != "check" { // which does not look into all files
				t.Errorf("%s: %v is content with it:\n%s", name, arguments, out)
			}
			secrets.look("what is said of "+name, out)
		}
	}
}

package local

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// dockerLogins are the logins of Docker's command line client, by registry. Those that it keeps elsewhere, with
// credential helpers, are not to be had.
type dockerLogins map[string]registry.AuthConfig

const (
	loginFile    = ".docker/config.json"
	oldLoginFile = ".dockercfg"
	// maxLoginFile is far above what logins take, in bytes.
	maxLoginFile = 1 << 20
	// hubLogin is the name of Docker Hub in files of logins.
	hubLogin = "index.docker.io"
)

// registryAuth is what a pull of the image shows to its registry, "" for nothing. As with Mesos, the login is that of
// a .docker/config.json or .dockercfg that was fetched into the sandbox, else that of whoever runs rollcall.
func registryAuth(image, sandbox string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", err
	}
	host := reference.Domain(named)
	if host == "docker.io" {
		host = hubLogin
	}
	home, _ := os.UserHomeDir()
	for _, place := range []struct{ dir, file string }{
		{sandbox, loginFile},
		{sandbox, oldLoginFile},
		{cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker")), "config.json"},
	} {
		logins, err := readLogins(place.dir, place.file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("logins to registries: %w", err)
		}
		auth, err := logins.of(host)
		if auth != "" || err != nil {
			return auth, err
		}
	}
	return "", nil
}

// readLogins reads a file of logins. A link in it that leads out of dir is not followed: what was fetched must not
// lend a task the logins of others.
func readLogins(dir, name string) (dockerLogins, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxLoginFile+1))
	if err == nil && len(data) > maxLoginFile {
		err = fmt.Errorf("more than %d bytes", maxLoginFile)
	}
	var config struct {
		Auths dockerLogins `json:"auths"`
	}
	if err == nil && name == oldLoginFile {
		err = json.Unmarshal(data, &config.Auths) // before Docker 1.7 there was nothing but logins in it
	} else if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return config.Auths, nil
}

// of is the login at a registry as the Docker Engine's API takes it, "" when there is none.
func (l dockerLogins) of(host string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		login := l[name]
		if registryHost(name) != host || login == (registry.AuthConfig{}) {
			continue
		}
		if login.Auth != "" {
			text, err := base64.StdEncoding.DecodeString(login.Auth)
			user, password, ok := strings.Cut(string(text), ":")
			if err != nil || !ok {
				return "", fmt.Errorf("login at %s: \"auth\" is not user:password in base64", name)
			}
			login.Username, login.Password, login.Auth = user, strings.TrimRight(password, "\x00"), ""
		}
		login.ServerAddress = name
		return authconfig.Encode(login)
	}
	return "", nil
}

// registryHost is the host, with its port, of a registry as files of logins name it: https://index.docker.io/v1/.
func registryHost(name string) string {
	_, rest, ok := strings.Cut(name, "://")
	if !ok {
		rest = name
	}
	host, _, _ := strings.Cut(rest, "/")
	return host
}

package client

import (
	"bytes"
	"cmp"
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
)

// DefaultURL is where the API of a rollcall on this machine is.
const DefaultURL = "http://127.0.0.1:8080"

// Address says where an API is, and who asks it. As JSON it is a profile.
type Address struct {
	URL          string `json:"url"` // several, separated by commas, are asked in turn
	User         string `json:"user"`
	Password     string `json:"password"`
	PasswordFile string `json:"passwordFile"`
	Token        string `json:"token"` // instead of user and password
	TokenFile    string `json:"tokenFile"`
	CACert       string `json:"cacert"` // file of certificates to trust instead of the system's
}

// Choice is what the command line says of the address; empty parts are left to the environment and the profiles.
type Choice struct {
	URL     string
	Profile string
	CACert  string
}

// Find settles on an address. The first of these that is there says where: the flag -url, the flag -profile,
// ROLLCALL_URL, ROLLCALL_PROFILE, MARATHON_URL, the default profile, this machine. Credentials of a profile go to its
// own URL only; those of ROLLCALL_USER, ROLLCALL_PASSWORD and ROLLCALL_TOKEN go before them.
func Find(choice Choice, getenv func(string) string) (Address, error) {
	a, err := find(choice, getenv)
	if err != nil {
		return a, err
	}
	if token := getenv("ROLLCALL_TOKEN"); token != "" {
		a.Token = token
	} else if user := getenv("ROLLCALL_USER"); user != "" {
		a.User, a.Password, a.Token = user, getenv("ROLLCALL_PASSWORD"), ""
	}
	a.CACert = cmp.Or(choice.CACert, getenv("ROLLCALL_CACERT"), a.CACert)
	return a, nil
}

func find(choice Choice, getenv func(string) string) (Address, error) {
	if choice.URL != "" {
		return Address{URL: choice.URL}, nil
	}
	if choice.Profile == "" {
		if url := getenv("ROLLCALL_URL"); url != "" {
			return Address{URL: url}, nil
		}
	}
	file, needed := profileFile(getenv)
	name := cmp.Or(choice.Profile, getenv("ROLLCALL_PROFILE"))
	if name == "" {
		if url := getenv("MARATHON_URL"); url != "" {
			return Address{URL: url}, nil
		}
	}
	all, err := readProfiles(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == "" && !needed:
		return Address{URL: DefaultURL}, nil
	case err != nil:
		return Address{}, fmt.Errorf("reading the profiles: %w", err)
	}
	if name = cmp.Or(name, all.Default); name == "" {
		return Address{URL: DefaultURL}, nil
	}
	a, ok := all.Profiles[name]
	if !ok {
		return Address{}, fmt.Errorf("%s has no profile %q; it has %s", file, name,
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(all.Profiles)), ", "), "none"))
	}
	if err := a.readSecrets(filepath.Dir(file)); err != nil {
		return Address{}, fmt.Errorf("profile %q: %w", name, err)
	}
	return a, nil
}

// profileFile is where the profiles are, and whether they have to be there.
func profileFile(getenv func(string) string) (file string, needed bool) {
	if file := getenv("ROLLCALL_PROFILES"); file != "" {
		return file, true
	}
	return filepath.Join(cmp.Or(getenv("XDG_CONFIG_HOME"), filepath.Join(getenv("HOME"), ".config")), "rollcall", "profiles.json"), false
}

// profiles are the addresses that somebody uses, by name.
type profiles struct {
	Default  string             `json:"default"`
	Profiles map[string]Address `json:"profiles"`
}

// readProfiles reads a file of profiles. One with secrets that others may read is refused.
func readProfiles(file string) (profiles, error) {
	var p profiles
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return p, fmt.Errorf("%s: something follows the object", file)
	}
	for name, a := range p.Profiles {
		if a.URL == "" {
			return p, fmt.Errorf("%s: profile %q has no url", file, name)
		}
		if a.Password == "" && a.Token == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return p, err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return p, fmt.Errorf("%s holds secrets and others may read it: chmod 600 %s", file, file)
		}
	}
	return p, nil
}

// readSecrets reads the files that hold secrets. Their paths are relative to the directory of the profiles.
func (a *Address) readSecrets(dir string) error {
	read := func(path string, into *string) error {
		if path == "" {
			return nil
		}
		data, err := os.ReadFile(within(dir, path))
		if err != nil {
			return fmt.Errorf("reading a secret: %w", err)
		}
		*into = strings.TrimSpace(string(data))
		return nil
	}
	if a.CACert != "" {
		a.CACert = within(dir, a.CACert)
	}
	return errors.Join(read(a.PasswordFile, &a.Password), read(a.TokenFile, &a.Token))
}

func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

package api

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"rollcall/scheduler"
)

// CredentialFiles say who may use the API. At least one of them is named.
type CredentialFiles struct {
	// HTTP is a file with one line "user:password", as Marathon's http_credentials: that user may do everything.
	HTTP string
	// Users is a JSON file with users, their passwords or tokens, and their roles.
	Users  string
	Logger *slog.Logger // nil: nothing is logged
	Now    func() time.Time
}

// Credentials knows users by their passwords (basic authentication, RFC 7617) and tokens (RFC 6750). The files are read
// again when they change; while they cannot be read those known before stay. It may be used from any goroutine.
type Credentials struct {
	files   CredentialFiles
	watch   *Watch
	current atomic.Pointer[knownUsers]
}

var _ Authenticator = (*Credentials)(nil)

// digest stands for a password or token in memory.
type digest [sha256.Size]byte

type knownUsers struct {
	passwords map[string]passwordUser // by name
	tokens    map[digest]*User
}

type passwordUser struct {
	password digest
	user     *User
}

// LoadCredentials reads the files. Its errors say what is wrong with which user, and never show a password.
func LoadCredentials(files CredentialFiles) (*Credentials, error) {
	if files.Logger == nil {
		files.Logger = slog.New(slog.DiscardHandler)
	}
	if files.Now == nil {
		files.Now = time.Now
	}
	c := &Credentials{files: files, watch: NewWatch(files.Now(), files.HTTP, files.Users)}
	known, err := files.load()
	if err != nil {
		return nil, err
	}
	c.current.Store(known)
	for _, path := range []string{files.HTTP, files.Users} {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
			files.Logger.Warn("everybody on this machine can read the credentials of the API; chmod o= it", "file", path)
		}
	}
	return c, nil
}

// Authenticate implements Authenticator.
func (c *Credentials) Authenticate(r *http.Request) *User {
	if c.watch.Changed(c.files.Now()) {
		known, err := c.files.load()
		if err != nil {
			c.files.Logger.Error("the credentials of the API changed and cannot be used; those before stay", "error", err)
		} else {
			c.current.Store(known)
			c.files.Logger.Info("the credentials of the API were read again")
		}
	}
	known := c.current.Load()
	if token := bearer(r); token != "" {
		return known.tokens[digestOf(token)]
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return nil
	}
	p := known.passwords[name] // of nobody, it takes as long
	given := digestOf(password)
	if subtle.ConstantTimeCompare(given[:], p.password[:]) == 1 {
		return p.user
	}
	return nil
}

func digestOf(text string) digest { return sha256.Sum256([]byte(text)) }

// usersFile is the form of CredentialFiles.Users.
type usersFile struct {
	Users []struct {
		Name     string `json:"name"`
		Password string `json:"password"` // itself, or "sha256:" and its digest in hexadecimal
		Token    string `json:"token"`    // likewise
		Roles    []struct {
			Role string `json:"role"`
			Path string `json:"path"`
		} `json:"roles"`
	} `json:"users"`
}

func (f CredentialFiles) load() (*knownUsers, error) {
	known := &knownUsers{passwords: map[string]passwordUser{}, tokens: map[digest]*User{}}
	if f.HTTP != "" {
		if err := known.loadHTTP(f.HTTP); err != nil {
			return nil, fmt.Errorf("reading the credentials in %s: %w", f.HTTP, err)
		}
	}
	if f.Users != "" {
		if err := known.loadUsers(f.Users); err != nil {
			return nil, fmt.Errorf("reading the users in %s: %w", f.Users, err)
		}
	}
	return known, nil
}

func (k *knownUsers) loadHTTP(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	name, password, ok := strings.Cut(strings.TrimRight(string(data), "\r\n"), ":")
	if !ok || name == "" || password == "" {
		return errors.New("it has to hold one line of the form user:password")
	}
	k.passwords[name] = passwordUser{digestOf(password), &User{Name: name, grants: everybody.grants}}
	return nil
}

func (k *knownUsers) loadUsers(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file usersFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return err
	}
	for i, u := range file.Users {
		user := &User{Name: u.Name}
		if u.Name == "" || strings.Contains(u.Name, ":") {
			return fmt.Errorf("users[%d] needs a name, without a colon in it", i)
		}
		if _, again := k.passwords[u.Name]; again {
			return fmt.Errorf("%q is there twice", u.Name)
		}
		if u.Password == "" && u.Token == "" {
			return fmt.Errorf("%q has neither password nor token", u.Name)
		}
		if len(u.Roles) == 0 {
			return fmt.Errorf("%q has no roles; give it some, such as {\"role\": \"read\", \"path\": \"/\"}", u.Name)
		}
		for _, r := range u.Roles {
			g := grant{roleNames[r.Role], scheduler.PathID(r.Path)}
			switch {
			case g.role == 0:
				return fmt.Errorf("%q has the role %q; roles are read, deploy and admin", u.Name, r.Role)
			case g.path != scheduler.ResolvePathID(r.Path, scheduler.Root):
				return fmt.Errorf("%q has the path %q; paths are ids of apps or groups, such as / or /shop/web", u.Name, r.Path)
			case g.role == roleAdmin && g.path != scheduler.Root:
				return fmt.Errorf("%q is admin of %s; admin is for everything, so its path is /", u.Name, g.path)
			}
			user.grants = append(user.grants, g)
		}
		if err := k.add(user, u.Password, u.Token); err != nil {
			return fmt.Errorf("%q: %w", u.Name, err)
		}
	}
	return nil
}

func (k *knownUsers) add(user *User, password, token string) error {
	if password != "" {
		d, err := storedDigest(password)
		if err != nil {
			return fmt.Errorf("its password %w", err)
		}
		k.passwords[user.Name] = passwordUser{d, user}
	}
	if token != "" {
		d, err := storedDigest(token)
		if err != nil {
			return fmt.Errorf("its token %w", err)
		}
		if k.tokens[d] != nil {
			return errors.New("its token is somebody else's as well")
		}
		k.tokens[d] = user
	}
	return nil
}

// storedDigest reads a password or token as the file has it: itself, or its digest.
func storedDigest(text string) (digest, error) {
	encoded, ok := strings.CutPrefix(text, "sha256:")
	if !ok {
		return digestOf(text), nil
	}
	data, err := hex.DecodeString(encoded)
	if err != nil || len(data) != sha256.Size {
		return digest{}, errors.New("has after sha256: something else than 64 hexadecimal digits")
	}
	return digest(data), nil
}

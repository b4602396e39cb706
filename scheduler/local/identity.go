package local

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// identity is whom a task runs as.
type identity struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
	Home   string   `json:"home"`
	Switch bool     `json:"switch,omitempty"` // differs from the user that rollcall runs as
}

// identityOf looks a user up by name or number; "" is the user that rollcall runs as.
func identityOf(name string) (identity, error) {
	if name == "" {
		name = strconv.Itoa(os.Geteuid())
	}
	account, err := user.Lookup(name)
	if err != nil {
		account, err = user.LookupId(name)
	}
	if err != nil {
		if name == strconv.Itoa(os.Geteuid()) {
			return identity{Name: name, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Home: "/"}, nil
		}
		return identity{}, fmt.Errorf("user %q does not exist on this machine", name)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return identity{}, fmt.Errorf("user %q has id %q, which is not a number", name, account.Uid)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return identity{}, fmt.Errorf("user %q has group id %q, which is not a number", name, account.Gid)
	}
	who := identity{Name: account.Username, UID: uint32(uid), GID: uint32(gid), Home: account.HomeDir}
	if int(uid) == os.Geteuid() {
		return who, nil
	}
	if os.Geteuid() != 0 {
		return identity{}, fmt.Errorf("task wants to run as user %q, which takes a rollcall that runs as root", name)
	}
	who.Switch = true
	groups, err := account.GroupIds()
	if err != nil {
		return identity{}, fmt.Errorf("looking up groups of user %q: %w", name, err)
	}
	for _, group := range groups {
		if id, err := strconv.ParseUint(group, 10, 32); err == nil {
			who.Groups = append(who.Groups, uint32(id))
		}
	}
	return who, nil
}

// credential is what a new process is given; nil keeps the user.
func (i identity) credential() *syscall.Credential {
	if !i.Switch {
		return nil
	}
	return &syscall.Credential{Uid: i.UID, Gid: i.GID, Groups: i.Groups}
}

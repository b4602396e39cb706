package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// DockerOff as Options.Docker runs no containers.
const DockerOff = "off"

// dockerHost is the address of the Docker Engine that a configured one means.
func dockerHost(configured string) string {
	return cmp.Or(configured, os.Getenv(client.EnvOverrideHost), client.DefaultDockerHost)
}

// docker is a connection to a Docker Engine. Calls that only ask have a time limit and are repeated when the daemon
// does not answer. Calls that change something have none: the daemon may do late what was given up here, and done
// twice it might run a container twice. They end with the connection, and whoever made them looks what became of them.
type docker struct {
	api  *client.Client
	host string
}

// connectDocker prepares a connection; nothing is sent before the first call. TLS is as in Docker's own environment
// variables.
func connectDocker(host string) (*docker, error) {
	api, err := client.New(client.FromEnv, client.WithHost(host))
	if err != nil {
		return nil, fmt.Errorf("address of the Docker Engine %q: %w", host, err)
	}
	return &docker{api, host}, nil
}

func (d *docker) close() { _ = d.api.Close() }

const (
	// askWithin is how long the daemon may take for an answer that changes nothing.
	askWithin = 10 * time.Second
	// retryFirst and retryMost bound the pauses between tries while the daemon does not answer.
	retryFirst = 50 * time.Millisecond
	retryMost  = 3 * time.Second
)

// errStillThere has a removal looked at again: it is under way.
var errStillThere = errors.New("container is being removed")

// unanswered says whether a call failed because the daemon could not be reached, ended meanwhile or hangs; every other
// error is the daemon's own word.
func unanswered(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	return isNet || notNegotiated(err) || errors.Is(err, errStillThere) || client.IsErrConnectionFailed(err) || cerrdefs.IsUnavailable(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// notNegotiated says whether a call was refused for its version of the API. The client asks the daemon for its version before
// its first call, and takes the newest one where it gets no answer: of a daemon that is just starting. The next call asks again.
func notNegotiated(err error) bool {
	return cerrdefs.IsInvalidArgument(err) && strings.Contains(err.Error(), "is too new. Maximum supported API version is")
}

// insist makes a call until the daemon has answered it, whatever the answer, or ctx has ended.
func insist(ctx context.Context, call func() error) error {
	pause := retryFirst
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := call()
		if err == nil || !unanswered(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause = min(2*pause, retryMost)
		}
	}
}

// persist repeats what is to be done in any case until it is, or ctx has ended.
func persist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryMost):
		}
	}
}

// ask is insist for calls that change nothing.
func ask[T any](ctx context.Context, call func(context.Context) (T, error)) (answer T, err error) {
	err = insist(ctx, func() (err error) {
		limited, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		answer, err = call(limited)
		return err
	})
	return answer, err
}

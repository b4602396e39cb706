package local

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// containerLog copies a container's output into the sandbox. It begins again where it was when the daemon went away
// meanwhile.
type containerLog struct {
	stdout, stderr io.Writer

	at   string // time stamp of the last message, as Docker writes it
	seen int    // messages with that time stamp
}

// follow copies until the container has ended and all is copied, or ctx ends.
func (l *containerLog) follow(ctx context.Context, d *docker, id string) {
	running := true
	_ = insist(ctx, func() error {
		stream, err := d.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true,
			Follow: running, Timestamps: true, Since: l.at})
		if err != nil {
			return err // the daemon's own word is as a rule that the container is gone
		}
		defer stream.Close()
		if err := l.copy(stream); err != nil || !running {
			return err
		}
		// A stream that is followed ends with the container, at times before its last words, and with the daemon.
		state, err := ask(ctx, func(ctx context.Context) (client.ContainerInspectResult, error) {
			return d.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		running = err != nil || state.Container.State.Running
		return io.ErrUnexpectedEOF
	})
}

// frameHeader is stream, three zeros, and the length of the message, of which the first part is its time stamp
// (Docker Engine API, "Attach to a container").
const frameHeader = 8

// maxFrame is far above Docker's 16 KiB a message; more is no log.
const maxFrame = 8 << 20

// copy reads messages to the end of a stream. Those that were seen before are left out.
func (l *containerLog) copy(stream io.Reader) error {
	in := bufio.NewReaderSize(stream, 32<<10)
	again, at := l.seen, l.at
	var header [frameHeader]byte
	for {
		if _, err := io.ReadFull(in, header[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		size := binary.BigEndian.Uint32(header[4:])
		if size > maxFrame {
			return fmt.Errorf("message of %d bytes in the log", size)
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return io.ErrUnexpectedEOF
		}
		stamp, text, _ := strings.Cut(string(message), " ")
		if stamp == at && again > 0 {
			again--
			continue
		}
		if stamp == l.at {
			l.seen++
		} else {
			l.at, l.seen = stamp, 1
		}
		out := l.stdout
		if header[0] == 2 {
			out = l.stderr
		}
		_, _ = io.WriteString(out, text)
	}
}

// logPatience is how long the rest of an ended container's output is waited for.
const logPatience = 5 * time.Second

package local

import (
	"context"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"rollcall/scheduler"
)

// execInContainer has Docker run a command in the task's container. Docker has no way to end it: when ctx ends it loses
// its terminal, or its input and output, and may run on until the container ends.
func execInContainer(ctx context.Context, dir taskDir, s spec, x scheduler.Exec) (int, error) {
	d, err := connectDocker(s.Container.Docker)
	if err != nil {
		return 0, err
	}
	defer d.close()
	size := client.ConsoleSize{Height: uint(x.Size.Rows), Width: uint(x.Size.Columns)}
	made, err := d.api.ExecCreate(ctx, containerName(containerLabels(s.Task.FrameworkID, dir.engine(), s.Task.ID)),
		client.ExecCreateOptions{AttachStdin: true, AttachStdout: true, AttachStderr: true, TTY: x.TTY, ConsoleSize: size, Cmd: x.Command})
	if err != nil {
		return 0, fmt.Errorf("preparing a command in the container: %w", err)
	}
	stream, err := d.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{TTY: x.TTY, ConsoleSize: size})
	if err != nil {
		return 0, fmt.Errorf("starting a command in the container: %w", err)
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Close)()
	over := make(chan struct{})
	defer close(over)
	go func() {
		_, _ = io.Copy(stream.Conn, x.Stdin)
		if x.TTY {
			// Docker would stop sending what the command writes if a terminal's input were closed.
			_, _ = stream.Conn.Write([]byte{endOfInput})
			return
		}
		if half, ok := stream.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	go func() {
		for {
			select {
			case size, more := <-x.Resize:
				if !more {
					return
				}
				_, _ = d.api.ExecResize(ctx, made.ID, client.ExecResizeOptions{Height: uint(size.Rows), Width: uint(size.Columns)})
			case <-over:
				return
			}
		}
	}()
	if x.TTY {
		_, err = io.Copy(x.Stdout, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(x.Stdout, x.Stderr, stream.Reader)
	}
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, fmt.Errorf("reading what a command in the container writes: %w", err)
	}
	end, err := ask(ctx, func(ctx context.Context) (client.ExecInspectResult, error) {
		return d.api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	})
	if err != nil {
		return 0, fmt.Errorf("asking how a command in the container ended: %w", err)
	}
	return end.ExitCode, nil
}

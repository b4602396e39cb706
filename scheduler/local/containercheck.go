package local

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// inContainer runs the check's command in the task's container. A command that takes too long goes on there, as with
// Mesos; Docker has no way to end it.
func (c *checker) inContainer(ctx context.Context) error {
	d, err := connectDocker(c.spec.Container.Docker)
	if err != nil {
		return err
	}
	defer d.close()
	name := containerName(containerLabels(c.spec.Task.FrameworkID, c.dir.engine(), c.spec.Task.ID))
	made, err := d.api.ExecCreate(ctx, name, client.ExecCreateOptions{AttachStdout: true, AttachStderr: true,
		Cmd: []string{"/bin/sh", "-c", c.check.Command.Value}})
	if err != nil {
		return err
	}
	stream, err := d.api.ExecAttach(ctx, made.ID, client.ExecAttachOptions{})
	if err != nil {
		return err
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, stream.Close)
	defer stop()
	var output tail
	if _, err := stdcopy.StdCopy(&output, &output, stream.Reader); err != nil {
		return err
	}
	end, err := d.api.ExecInspect(ctx, made.ID, client.ExecInspectOptions{})
	switch {
	case err != nil:
		return err
	case end.Running:
		return errors.New("command has let go of its output and runs on")
	case end.ExitCode == 0:
		return nil
	}
	text := fmt.Sprintf("exited with status %d", end.ExitCode)
	if said := strings.TrimSpace(output.String()); said != "" {
		text += ": " + said
	}
	return errors.New(text)
}

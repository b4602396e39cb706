package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"rollcall/cmd/rollcall/client"
	"rollcall/cmd/rollcall/migrate"
)

// runMigrate is rollcall migrate marathon. What is brought over goes to stdout, what is not to stderr.
func runMigrate(ctx context.Context, c command, stdout, stderr io.Writer) error {
	o := c.Migrate
	dump, err := o.read(ctx)
	if err != nil {
		return err
	}
	if o.Save != "" {
		if err := dump.Save(o.Save); err != nil {
			return err
		}
	}
	tree := migrate.NewTree(dump)
	switch {
	case o.To != "":
		return o.transfer(ctx, tree, stdout, stderr)
	case o.Adopt:
		return o.adopt(ctx, c.ConfigPath, dump, tree, stdout, stderr)
	}
	return say(stdout, "saved %d apps and %d tasks of Marathon %s in %s\n", len(tree.Apps())+len(tree.Left), len(dump.Tasks), dump.Info.Version, o.Save)
}

func (o *migrateOptions) read(ctx context.Context) (*migrate.Dump, error) {
	if o.FromFile != "" {
		return migrate.ReadFile(o.FromFile)
	}
	from, err := client.New(client.Address{URL: o.From, CACert: o.CACert})
	if err != nil {
		return nil, err
	}
	return migrate.Read(ctx, from)
}

// transfer brings the apps over through the API of a running rollcall.
func (o *migrateOptions) transfer(ctx context.Context, tree *migrate.Tree, stdout, stderr io.Writer) error {
	address, err := client.Find(client.Choice{URL: o.To}, os.Getenv)
	if err != nil {
		return err
	}
	to, err := client.New(address)
	if err != nil {
		return err
	}
	if o.Suspended {
		tree.Suspend()
	}
	if err := tree.Check(ctx, to); err != nil {
		return err
	}
	for _, left := range tree.Left {
		if err := say(stderr, "left: %s\n", left); err != nil {
			return err
		}
	}
	apps := tree.Apps()
	if len(tree.Left) > 0 && !o.Partial {
		return fmt.Errorf("%d of %d apps and pods cannot be brought over: -partial brings the others; nothing was changed",
			len(tree.Left), len(tree.Left)+len(apps))
	}
	if o.DryRun {
		return say(stdout, "%d apps would be brought over to %s\n", len(apps), to.Server())
	}
	deployed, err := tree.Transfer(ctx, to)
	if err != nil {
		return err
	}
	return say(stdout, "%d apps brought over to %s, deployment %s\n", len(apps), to.Server(), deployed.Deployment)
}

func say(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

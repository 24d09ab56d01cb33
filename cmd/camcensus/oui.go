package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/fingerprint/oui"
	"camcensus/internal/agent"
)

func addOUI(app *kingpin.Application, commands map[string]action) {
	c := app.Command("oui", "The IEEE registry of hardware addresses.")
	storage := c.Flag("storage.path", "Directory of the inventory, where an imported registry is kept.").String()

	imp := c.Command("import", "Take a newer registry: an IEEE csv or txt file, or oui-data's JSON.")
	file := imp.Arg("file", "Registry file.").Required().String()
	date := imp.Flag("date", "Day of the registry (default: the file's own date).").String()
	commands[imp.FullCommand()] = func(_ context.Context, s streams) error { return importOUI(s, *storage, *file, *date) }

	show := c.Command("show", "Say who registered the block of a hardware address.")
	mac := show.Arg("mac", "Hardware address.").Required().String()
	commands[show.FullCommand()] = func(_ context.Context, s streams) error { return showOUI(s, *storage, *mac) }
}

func importOUI(s streams, storage, file, date string) error {
	dir, err := storageDir(storage)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if date == "" {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		date = info.ModTime().UTC().Format(time.DateOnly)
	} else if _, err := time.Parse(time.DateOnly, date); err != nil {
		return usageError{fmt.Errorf("--date: %q is no day such as 2026-08-26", date)}
	}
	blocks, err := oui.ReadBlocks(f)
	if err != nil {
		return err
	}
	now, err := agent.Registry(dir)
	if err != nil {
		now = oui.Default() // the imported one is broken: this import mends it
	}
	merged, err := now.With(blocks, "imported from "+filepath.Base(file), date)
	if err != nil {
		return err
	}
	if err := writeRegistry(filepath.Join(dir, agent.RegistryFile), merged); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d blocks read, %d known now, registry of %s; a running agent takes it at its next reload\n", len(blocks), merged.Len(), date)
	return nil
}

// writeRegistry writes the file whole or not at all.
func writeRegistry(path string, r *oui.Registry) error {
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, b.Bytes(), 0o640); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func showOUI(s streams, storage, text string) error {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return usageError{fmt.Errorf("%q is no hardware address such as 44:19:b6:01:02:03", text)}
	}
	dir, err := findStorage(storage)
	if err != nil {
		dir = ""
	}
	r, err := agent.Registry(dir)
	if err != nil {
		return err
	}
	a, ok := r.LookupAddr(mac)
	switch {
	case ok && a.Private:
		fmt.Fprintf(s.out, "%s: block %s (%s, %d bits) is registered to a holder that keeps its name private\n", mac, a.Prefix, a.Registry, a.Bits)
	case ok:
		fmt.Fprintf(s.out, "%s: block %s (%s, %d bits) is registered to %s\n", mac, a.Prefix, a.Registry, a.Bits, a.Registrant)
	case a.Local:
		fmt.Fprintf(s.out, "%s: locally administered: random, virtual or set by hand; it names nobody\n", mac)
	case a.Virtual != "":
		fmt.Fprintf(s.out, "%s: shared by routers (%s): it names no device\n", mac, a.Virtual)
	default:
		fmt.Fprintf(s.out, "%s: no block is registered that holds it\n", mac)
	}
	fmt.Fprintf(s.out, "registry: %s of %s\n", r.Version(), r.Date())
	return nil
}

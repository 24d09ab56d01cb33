package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/zap"

	"camcensus/fingerprint"
	"camcensus/internal/agent"
	"camcensus/internal/config"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// edit is one change, both as a call of the running agent's API and as one on
// the store itself.
type edit struct {
	method, path string
	body         any
	local        func(inv *inventory.Inventory, by string) error
	// sound is what the running agent checks of the edit; may be nil.
	sound func(j *agent.Judge) error
}

// apply sends the edit to the running agent, or makes it on the store when no
// agent holds it.
func (f *inventoryFlags) apply(ctx context.Context, s streams, e edit) error {
	dir, err := f.dir()
	if err != nil {
		return err
	}
	by := f.by
	if by == "" {
		by = "unknown"
		if u, err := user.Current(); err == nil {
			by = u.Username
		}
	}
	file := filepath.Join(dir, inventory.FileName)
	if !mayWrite(file) {
		err = f.throughAgent(ctx, s, dir, e)
		if errors.Is(err, errNoAgent) {
			err = fmt.Errorf("%s may not be written by %s, and no agent is running that would do it: start the agent, or run this as the user who owns the file (sudo -u camcensus camcensus inventory ...)", file, by)
		}
		return told(s, err)
	}
	inv, err := inventory.Open(ctx, inventory.Options{Dir: dir, Log: zap.NewNop(), Judge: f.judge(dir)})
	switch {
	case errors.Is(err, inventory.ErrLocked):
		err = f.throughAgent(ctx, s, dir, e)
	case err == nil:
		err = errors.Join(f.alone(inv, dir, e, by), inv.Close())
	}
	return told(s, err)
}

// throughAgent lets the running agent make the edit: it sees by itself who asks.
func (f *inventoryFlags) throughAgent(ctx context.Context, s streams, dir string, e edit) error {
	err := callAgent(ctx, dir, e.method, e.path, e.body, nil)
	if err == nil && f.by != "" {
		fmt.Fprintln(s.err, "--by is not taken over: the running agent writes down the user who asks it")
	}
	return err
}

// told says that an edit is done.
func told(s streams, err error) error {
	if err == nil {
		fmt.Fprintln(s.out, "done")
	}
	return err
}

// mayWrite tells whether this user may write the file. A file that cannot be
// opened for another reason is left to those who say why.
func mayWrite(file string) bool {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return !errors.Is(err, fs.ErrPermission)
}

// alone makes the edit on the store, checked as the running agent would.
func (f *inventoryFlags) alone(inv *inventory.Inventory, dir string, e edit, by string) error {
	if _, j, err := f.configured(dir); err == nil && e.sound != nil {
		if err := e.sound(j); err != nil {
			return err
		}
	}
	return e.local(inv, by)
}

// judge re-judges a device after an edit without a running agent; nil when
// the configuration cannot be read, then the agent does so at its next start.
func (f *inventoryFlags) judge(dir string) inventory.Judge {
	_, j, err := f.configured(dir)
	if err != nil {
		return nil
	}
	return func(d inventory.Device, ev []fingerprint.Evidence) (fingerprint.Identity, []policy.Verdict) {
		return j.AssessDevice(d, ev, time.Now())
	}
}

// config is the file's, else the defaults.
func (f *inventoryFlags) config() (config.Config, error) {
	if f.configFile == "" {
		return config.Default(), nil
	}
	return config.Load(f.configFile)
}

// configured loads the configuration and the judge that an agent would run
// with over the inventory in dir.
func (f *inventoryFlags) configured(dir string) (config.Config, *agent.Judge, error) {
	c, err := f.config()
	if err != nil {
		return c, nil, err
	}
	registry, err := agent.Registry(dir)
	if err != nil {
		return c, nil, err
	}
	j, err := agent.NewJudge(agent.JudgeOptions{
		Lists: c.Policy.Lists, PolicyFiles: c.Policy.Files, RuleFiles: c.Fingerprint.Rules, Registry: registry,
	})
	return c, j, err
}

func (f *inventoryFlags) addEditing(c *kingpin.CmdClause, commands map[string]action) {
	add := func(cmd *kingpin.CmdClause, make func(id string) (edit, error)) {
		id := cmd.Arg("id", "Device id.").Required().String()
		commands[cmd.FullCommand()] = func(ctx context.Context, s streams) error {
			e, err := make(url.PathEscape(*id))
			if err != nil {
				return err
			}
			return f.apply(ctx, s, e)
		}
	}
	addExcept(c, add)
	addRemove(c, add)
	addMerge(c, add)
	addAnnotate(c, add)
	addDetermine(c, add)
}

type adder func(cmd *kingpin.CmdClause, make func(id string) (edit, error))

func devicePath(id, rest string) string { return "/api/v1/devices/" + id + "/" + rest }

func addExcept(c *kingpin.CmdClause, add adder) {
	except := c.Command("except", "Grant a written, owned, expiring permission for one device under one policy.")
	pol := except.Flag("policy", "Policy it is granted under.").Required().String()
	owner := except.Flag("owner", "Who answers for it.").Required().String()
	reason := except.Flag("reason", "Why.").Required().String()
	expires := except.Flag("expires", "Last day (YYYY-MM-DD, by UTC), or a time (RFC 3339).").Required().String()
	add(except, func(id string) (edit, error) {
		until, err := moment(*expires, 24*time.Hour-time.Second)
		if err != nil {
			return edit{}, err
		}
		x := inventory.Exception{Policy: *pol, Owner: *owner, Reason: *reason, Expires: until}
		body := map[string]string{"policy": *pol, "owner": *owner, "reason": *reason, "expires": until.Format(time.RFC3339)}
		return edit{http.MethodPost, devicePath(id, "exceptions"), body, func(inv *inventory.Inventory, by string) error {
			x.By = by
			_, err := inv.Except(id, x)
			return err
		}, func(j *agent.Judge) error { return j.Active(*pol) }}, nil
	})

	unexcept := c.Command("unexcept", "Withdraw an exception.")
	which := unexcept.Flag("exception", "Id of the exception, or the policy it is under.").Required().String()
	add(unexcept, func(id string) (edit, error) {
		return edit{http.MethodDelete, devicePath(id, "exceptions/"+url.PathEscape(*which)), nil, func(inv *inventory.Inventory, by string) error {
			return inv.Unexcept(id, *which, by)
		}, nil}, nil
	})
}

func addRemove(c *kingpin.CmdClause, add adder) {
	remove := c.Command("remove", "Note that a device was taken away.")
	reason := remove.Flag("reason", "Why, and where to.").Required().String()
	add(remove, func(id string) (edit, error) {
		return edit{http.MethodPost, devicePath(id, "removal"), map[string]string{"reason": *reason}, func(inv *inventory.Inventory, by string) error {
			return inv.Remove(id, *reason, by)
		}, nil}, nil
	})
}

func addMerge(c *kingpin.CmdClause, add adder) {
	merge := c.Command("merge", "Note that two ids are one device. The older id lives on; split undoes it.")
	with := merge.Flag("with", "The other id.").Required().String()
	why := merge.Flag("reason", "Why.").Required().String()
	add(merge, func(id string) (edit, error) {
		return edit{http.MethodPost, devicePath(id, "merge"), map[string]string{"with": *with, "reason": *why}, func(inv *inventory.Inventory, by string) error {
			_, err := inv.Merge(id, *with, *why, by)
			return err
		}, nil}, nil
	})

	split := c.Command("split", "Undo a merge: name the id that was merged away, as show and events tell it. The two are not merged again by themselves.")
	reason := split.Flag("reason", "Why.").Required().String()
	add(split, func(id string) (edit, error) {
		return edit{http.MethodPost, devicePath(id, "split"), map[string]string{"reason": *reason}, func(inv *inventory.Inventory, by string) error {
			return inv.Split(id, *reason, by)
		}, nil}, nil
	})
}

func addAnnotate(c *kingpin.CmdClause, add adder) {
	annotate := c.Command("annotate", "Note what only a person knows of a device. Flags that are not given keep what is noted.")
	notes := map[string]*annotation{}
	for name, help := range map[string]string{
		"location": "Where it hangs.", "owner": "Whose it is.", "acquired": "When it was acquired (YYYY-MM-DD).", "note": "Anything else.",
	} {
		notes[name] = &annotation{}
		annotate.Flag(name, help).SetValue(notes[name])
	}
	add(annotate, func(id string) (edit, error) {
		if len(given(notes)) == 0 {
			return edit{}, usageError{errors.New("annotate needs --location, --owner, --acquired or --note")}
		}
		change := inventory.AnnotationPatch{
			Location: notes["location"].text, Owner: notes["owner"].text, Acquired: notes["acquired"].text, Note: notes["note"].text,
		}
		return edit{http.MethodPatch, devicePath(id, "annotations"), given(notes), func(inv *inventory.Inventory, by string) error {
			return inv.Annotate(id, change, by)
		}, nil}, nil
	})
}

// annotation is a text flag that knows whether it was given.
type annotation struct{ text *string }

func (a *annotation) Set(s string) error { a.text = &s; return nil }

func (a *annotation) String() string {
	if a.text == nil {
		return ""
	}
	return *a.text
}

func given(notes map[string]*annotation) map[string]string {
	out := map[string]string{}
	for name, a := range notes {
		if a.text != nil {
			out[name] = *a.text
		}
	}
	return out
}

func addDetermine(c *kingpin.CmdClause, add adder) {
	determine := c.Command("determine", "Note a person's finding on who made a device. It decides.")
	maker := determine.Flag("manufacturer", "Who made it.").String()
	basis := determine.Flag("basis", "What the finding rests on.").Enum("label", "document", "maker_letter", "inspection")
	date := determine.Flag("date", "Day of the finding (YYYY-MM-DD by UTC; default: today).").String()
	note := determine.Flag("note", "What was read or found.").String()
	withdraw := determine.Flag("withdraw", "Withdraw the finding.").Bool()
	add(determine, func(id string) (edit, error) {
		if *withdraw {
			return edit{http.MethodDelete, devicePath(id, "determination"), nil, func(inv *inventory.Inventory, by string) error {
				return inv.Determine(id, nil, by)
			}, nil}, nil
		}
		if *maker == "" || *basis == "" {
			return edit{}, usageError{errors.New("determine needs --manufacturer and --basis, or --withdraw")}
		}
		on, err := moment(*date, 0)
		if err != nil {
			return edit{}, err
		}
		if on.IsZero() {
			on = time.Now()
		}
		d := inventory.Determination{Manufacturer: *maker, Basis: *basis, Date: on, Note: *note}
		body := map[string]string{"manufacturer": *maker, "basis": *basis, "date": on.Format(time.RFC3339), "note": *note}
		return edit{http.MethodPost, devicePath(id, "determination"), body, func(inv *inventory.Inventory, by string) error {
			d.By = by
			return inv.Determine(id, &d, by)
		}, func(j *agent.Judge) (err error) {
			d.Manufacturer, err = j.Finding(d.Manufacturer)
			return err
		}}, nil
	})
}

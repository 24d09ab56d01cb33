package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"camcensus/internal/inventory"
)

// showVerification says what was verified, and fails where something is wrong or
// cannot be told from this file.
func showVerification(w io.Writer, v *inventory.Verification) error {
	if len(v.Faults) > 0 {
		return fmt.Errorf("the inventory does not hold:\n%s", strings.Join(slices.Concat(v.Open, v.Faults), "\n"))
	}
	var b strings.Builder
	switch {
	case v.Events == 0:
		b.WriteString("no event is in this file")
	case v.Base > 0:
		fmt.Fprintf(&b, "events %d to %d are whole and in order", v.Base+1, v.Length)
	default:
		fmt.Fprintf(&b, "all %d events are whole and in order", v.Length)
	}
	fmt.Fprintf(&b, "; head %s\n", v.Head)
	switch {
	case v.Recorded == 0:
	case v.Aside == "gone":
		fmt.Fprintf(&b, "events 1 to %d are not in this file: the one they were in is gone, as event %d records\n", v.Base, v.Recorded)
	default:
		fmt.Fprintf(&b, "events 1 to %d are not in this file: they are in %s, which was set aside, as event %d records\n", v.Base, v.Aside, v.Recorded)
	}
	if v.Base == 0 && v.Aside != "" {
		fmt.Fprintf(&b, "an earlier inventory was set aside as %s: its events are in no chain of this file\n", v.Aside)
	}
	fmt.Fprintf(&b, "raw records: %d, as events cite them", v.Records)
	if v.AnswersOnly > 0 {
		fmt.Fprintf(&b, "; of %d, kept by an older version, that covers the answer, not its address and time", v.AnswersOnly)
	}
	fmt.Fprintf(&b, "\ndevices: %d, undamaged with their evidence; their checksums find damage, no forger\n", v.Devices-len(v.Lost))
	if n := len(v.Lost); n > 0 {
		fmt.Fprintf(&b, "evidence lost: that of %d more devices was damaged in the file or is gone from it; their verdicts stand until new evidence contradicts them: %s\n",
			n, strings.Join(v.Lost, " "))
	}
	if n := len(v.Forgotten); n > 0 {
		fmt.Fprintf(&b, "no longer kept: %d of the devices of which events tell (forgotten by retention, or deleted): %s\n",
			n, strings.Join(v.Forgotten[:min(n, 8)], " "))
	}
	if _, err := io.WriteString(w, b.String()); err != nil || len(v.Open) == 0 {
		return err
	}
	return errors.New("this file alone does not prove the history:\n" + strings.Join(v.Open, "\n"))
}

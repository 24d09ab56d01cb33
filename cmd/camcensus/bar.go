package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"camcensus/exporter"
)

// bar is the progress bar of scan; it shows on a terminal only.
type bar struct {
	mu    sync.Mutex
	w     io.Writer
	on    bool
	drawn time.Time
}

func newBar(w io.Writer) *bar { return &bar{w: w, on: isTerminal(w)} }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColour tells whether w is a terminal and NO_COLOR is not set.
func wantsColour(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }

const barWidth = 30

func (b *bar) show(p exporter.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on || time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	full := 0
	if p.Total > 0 {
		full = barWidth * min(p.Done, p.Total) / p.Total
	}
	fmt.Fprintf(b.w, "\r\x1b[K[%s%s] %-9s %d/%d  %d found  %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full),
		p.Phase, p.Done, p.Total, p.Found, time.Since(p.Started).Round(time.Second))
}

func (b *bar) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

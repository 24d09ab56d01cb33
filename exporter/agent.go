package exporter

import (
	"context"
	"errors"
	"io"
	"time"

	"camcensus/internal/inventory"
)

// Errors by which an Agent tells the API what went wrong with an edit. An
// Agent wraps them; anything else is answered as a fault of the server.
var (
	ErrNotFound = errors.New("not found")
	ErrInvalid  = errors.New("invalid")
	ErrConflict = errors.New("conflict")
	ErrUnable   = errors.New("not possible now") // the store is read-only, the agent only listens ...
)

// Agent is what the exporter needs of the running agent.
type Agent interface {
	// Ready is true once the stored inventory is loaded; until then the page,
	// the metrics and the API answer 503.
	Ready() bool
	// Snapshot returns the present state. It is called for every scrape and
	// page: it must be cheap, and what it returns must never change
	// afterwards. The same device slice may be returned as long as no device
	// changed; the exporter then keeps its sums.
	Snapshot() *Snapshot
	// Device finds one device by its id or by an alias a merge left behind.
	Device(id string) (inventory.Device, bool)
	// Events returns events, newest first, and the cursor of the next page
	// ("" at the end).
	Events(ctx context.Context, q EventQuery) (events []inventory.Event, next string, err error)
	// Export writes the inventory or the audit report.
	Export(ctx context.Context, w io.Writer, o ExportOptions) error
	// Subscribe delivers changes until ctx ends, then closes the channel. A
	// slow subscriber loses messages, never stalls the agent.
	Subscribe(ctx context.Context) <-chan StreamEvent

	Reload() error
	Pause(by string) error
	Resume(by string) error
	Rescan(by string) error

	// Except returns the exception as stored, with its id.
	Except(device string, e inventory.Exception) (inventory.Exception, error)
	Unexcept(device, exception, by string) error
	Remove(device, reason, by string) error
	// Determine records a person's finding; nil withdraws it.
	Determine(device string, d *inventory.Determination, by string) error
	// Merge makes one device of two and returns the id that lives on; the other
	// becomes an alias.
	Merge(device, other, reason, by string) (string, error)
	// Split undoes a merge; device is the id that was merged away.
	Split(device, reason, by string) error
	// Annotate sets the annotations that the patch names and keeps the rest.
	Annotate(device string, p AnnotationPatch, by string) error
}

// EventQuery selects events. Zero values select all.
type EventQuery struct {
	Device string
	Event  string
	Since  time.Time
	Until  time.Time
	Limit  int // always set by the API, 1 to 1000
	Cursor string
}

// ExportOptions says what to export.
type ExportOptions struct {
	Format string    // csv | json | jsonl | html
	From   time.Time // zero: since the beginning
	To     time.Time // zero: now
	Lang   string    // en | fr
}

// AnnotationPatch changes the annotations whose pointer is not nil.
type AnnotationPatch struct {
	Location *string `json:"location"`
	Owner    *string `json:"owner"`
	Acquired *string `json:"acquired"` // YYYY-MM-DD or ""
	Note     *string `json:"note"`
}

// StreamEvent is one message of /api/v1/stream.
type StreamEvent struct {
	// Type is the event's name on the wire: "device" (Data: the device),
	// "event" (an inventory.Event), "progress" (a Progress), "status"
	// (anything else changed: reload the picture; Data may be nil).
	Type string
	Data any // marshalled as JSON
}

package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"camcensus/internal/inventory"
)

// The bounds of what a person writes.
const (
	maxEditBody = 64 << 10
	maxText     = 2000 // characters of one text
)

// bases are what a determination may rest on.
var bases = []string{"label", "document", "maker_letter", "inspection"}

// edit lets an editor change one device. It reads the JSON body into `into`
// (nil: the request has none), then answers what change returns.
func (x *Exporter) edit(w http.ResponseWriter, r *http.Request, into any, change func(by string) error) bool {
	by, ok := x.editor(w, r)
	if !ok {
		return false
	}
	if late, err := x.tooLate(r); err != nil {
		fail(w, http.StatusBadRequest, "invalid", err.Error())
		return false
	} else if late {
		fail(w, http.StatusRequestTimeout, "too_late", "it was not done: whoever asked for it has given up waiting")
		return false
	}
	if into != nil {
		if status, err := readJSON(r, into); err != nil {
			fail(w, status, "invalid", err.Error())
			return false
		}
	}
	if err := change(by); err != nil {
		failWith(w, err)
		return false
	}
	return true
}

// DeadlineHeader says until when the client waits, as RFC 3339: an agent that was
// held up does nothing that its client has given up.
const DeadlineHeader = "Camcensus-Deadline"

func (x *Exporter) tooLate(r *http.Request) (bool, error) {
	text := r.Header.Get(DeadlineHeader)
	if text == "" {
		return false, nil
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return false, fmt.Errorf("%s %q: a time (2026-01-31T08:00:00Z) is needed", DeadlineHeader, printable(text, 40))
	}
	return x.now().After(until), nil
}

// readJSON takes one JSON object of known keys. The content type is demanded
// because no form of another site can send it unasked.
func readJSON(r *http.Request, into any) (status int, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("Content-Type: application/json is needed")
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxEditBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return http.StatusBadRequest, fmt.Errorf("the body is not the JSON object that is needed: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return http.StatusBadRequest, errors.New("the body holds more than one JSON object")
	}
	return 0, nil
}

// answerDevice shows the device as the edit left it.
func (x *Exporter) answerDevice(w http.ResponseWriter, id string) {
	d, ok := x.agent.Device(id)
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "the device is no longer there")
		return
	}
	answer(w, http.StatusOK, complete(d))
}

func (x *Exporter) postException(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Policy  string `json:"policy"`
		Owner   string `json:"owner"`
		Reason  string `json:"reason"`
		Expires string `json:"expires"`
	}
	var made inventory.Exception
	ok := x.edit(w, r, &body, func(by string) error {
		expires, err := parseTime("expires", body.Expires, true)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		e := inventory.Exception{Policy: written(body.Policy), Owner: written(body.Owner), Reason: written(body.Reason),
			Expires: expires, By: by, Created: x.now().UTC()}
		if err := x.checkException(e); err != nil {
			return err
		}
		made, err = x.agent.Except(r.PathValue("id"), e)
		return err
	})
	if ok {
		answer(w, http.StatusCreated, made)
	}
}

func (x *Exporter) checkException(e inventory.Exception) error {
	known := slices.ContainsFunc(x.agent.Snapshot().Policies, func(p Policy) bool { return p.Name == e.Policy })
	switch {
	case !known:
		return fmt.Errorf("%w: policy %q is not active", ErrInvalid, e.Policy)
	case e.Owner == "":
		return fmt.Errorf("%w: an exception needs an owner", ErrInvalid)
	case e.Reason == "":
		return fmt.Errorf("%w: an exception needs a reason", ErrInvalid)
	case e.Expires.IsZero():
		return fmt.Errorf("%w: an exception needs a day on which it expires", ErrInvalid)
	case !e.Expires.After(x.now()):
		return fmt.Errorf("%w: expires %s is past", ErrInvalid, e.Expires.Format(time.DateOnly))
	}
	return nil
}

func (x *Exporter) deleteException(w http.ResponseWriter, r *http.Request) {
	if x.edit(w, r, nil, func(by string) error {
		which := r.PathValue("exception")
		d, ok := x.agent.Device(r.PathValue("id"))
		if ok && !slices.ContainsFunc(d.Exceptions, func(e inventory.Exception) bool { return e.ID == which || e.Policy == which }) {
			return fmt.Errorf("%w: the device has no exception %q", ErrNotFound, printable(which, 64))
		}
		return x.agent.Unexcept(r.PathValue("id"), which, by)
	}) {
		w.WriteHeader(http.StatusNoContent)
	}
}

func (x *Exporter) postRemoval(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Reason string `json:"reason"`
	}
	if x.edit(w, r, &body, func(by string) error {
		reason := written(body.Reason)
		if reason == "" {
			return fmt.Errorf("%w: a removal needs a reason", ErrInvalid)
		}
		return x.agent.Remove(r.PathValue("id"), reason, by)
	}) {
		x.answerDevice(w, r.PathValue("id"))
	}
}

// postMerge takes a person's word that two ids are one device.
func (x *Exporter) postMerge(w http.ResponseWriter, r *http.Request) {
	var body struct {
		With   string `json:"with"`
		Reason string `json:"reason"`
	}
	kept := ""
	if x.edit(w, r, &body, func(by string) (err error) {
		reason := written(body.Reason)
		if reason == "" {
			return fmt.Errorf("%w: a merge needs a reason", ErrInvalid)
		}
		kept, err = x.agent.Merge(r.PathValue("id"), written(body.With), reason, by)
		return err
	}) {
		x.answerDevice(w, kept)
	}
}

// postSplit undoes a merge: the id in the path is the one that was merged away.
func (x *Exporter) postSplit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Reason string `json:"reason"`
	}
	if x.edit(w, r, &body, func(by string) error {
		reason := written(body.Reason)
		if reason == "" {
			return fmt.Errorf("%w: a split needs a reason", ErrInvalid)
		}
		return x.agent.Split(r.PathValue("id"), reason, by)
	}) {
		x.answerDevice(w, r.PathValue("id"))
	}
}

func (x *Exporter) postDetermination(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Manufacturer string `json:"manufacturer"`
		Maker        string `json:"maker"` // the word of DESIGN section 1; the same thing
		Basis        string `json:"basis"`
		Date         string `json:"date"`
		Note         string `json:"note"`
	}
	if x.edit(w, r, &body, func(by string) error {
		date, err := parseTime("date", body.Date, false)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if date.IsZero() {
			date = x.now().UTC()
		}
		maker := written(body.Manufacturer)
		if maker == "" {
			maker = written(body.Maker)
		}
		switch {
		case maker == "":
			return fmt.Errorf("%w: a determination needs a manufacturer", ErrInvalid)
		case !slices.Contains(bases, body.Basis):
			return fmt.Errorf("%w: basis %q is none of %s", ErrInvalid, body.Basis, strings.Join(bases, ", "))
		case date.After(x.now().AddDate(0, 0, 1)):
			return fmt.Errorf("%w: date %s is yet to come", ErrInvalid, date.Format(time.DateOnly))
		}
		d := &inventory.Determination{Manufacturer: maker, Basis: body.Basis, By: by, Date: date, Note: written(body.Note)}
		return x.agent.Determine(r.PathValue("id"), d, by)
	}) {
		x.answerDevice(w, r.PathValue("id"))
	}
}

func (x *Exporter) deleteDetermination(w http.ResponseWriter, r *http.Request) {
	if x.edit(w, r, nil, func(by string) error { return x.agent.Determine(r.PathValue("id"), nil, by) }) {
		x.answerDevice(w, r.PathValue("id"))
	}
}

func (x *Exporter) patchAnnotations(w http.ResponseWriter, r *http.Request) {
	var patch AnnotationPatch
	if x.edit(w, r, &patch, func(by string) error {
		for _, text := range []*string{patch.Location, patch.Owner, patch.Acquired, patch.Note} {
			if text != nil {
				*text = written(*text)
			}
		}
		if patch.Acquired != nil && *patch.Acquired != "" {
			if _, err := time.Parse(time.DateOnly, *patch.Acquired); err != nil {
				return fmt.Errorf("%w: acquired %q: a date (2026-01-31) is needed", ErrInvalid, *patch.Acquired)
			}
		}
		return x.agent.Annotate(r.PathValue("id"), patch, by)
	}) {
		x.answerDevice(w, r.PathValue("id"))
	}
}

// command serves a request that only tells the agent to do something.
func (x *Exporter) command(do func(a Agent, by string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
				fail(w, http.StatusUnsupportedMediaType, "invalid", "Content-Type: application/json is needed")
				return
			}
		}
		if x.edit(w, r, nil, func(by string) error { return do(x.agent, by) }) {
			answer(w, http.StatusOK, struct {
				Paused bool `json:"paused"`
			}{x.agent.Snapshot().Pause.Operator})
		}
	}
}

// written makes a person's text fit to keep: bounded, printable, on one line.
func written(text string) string {
	return printable(strings.Join(strings.Fields(text), " "), maxText)
}

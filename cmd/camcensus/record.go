package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"camcensus/discovery"
	"camcensus/internal/agent"
)

// recorder writes evidence records to a file. Which address a device is known
// by stands only at the end of the scan, so that the records wait in a second
// file, under their device's id.
type recorder struct {
	path   string
	redact bool
	waits  *os.File
	err    error
	queue  chan waiting
	done   chan struct{}
}

// waiting is one record under its device's id.
type waiting struct {
	Device string
	Record discovery.Record
}

// newRecorder begins a recording; an empty path records nothing.
func newRecorder(path string, redact bool) (*recorder, error) {
	r := &recorder{path: path, redact: redact}
	if path == "" {
		return r, nil
	}
	// The file itself is made now, so that a wrong path is told at once.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	if r.waits, err = os.CreateTemp("", "camcensus-record-*"); err != nil {
		return nil, err
	}
	r.queue, r.done = make(chan waiting, 1024), make(chan struct{})
	go r.drain()
	return r, nil
}

func (r *recorder) drain() {
	defer close(r.done)
	w := bufio.NewWriter(r.waits)
	enc := json.NewEncoder(w)
	for one := range r.queue {
		r.err = errors.Join(r.err, enc.Encode(one))
	}
	r.err = errors.Join(r.err, w.Flush())
}

// write is called from many goroutines; after finish it is not.
func (r *recorder) write(device string, rec discovery.Record) {
	if r.queue != nil {
		r.queue <- waiting{device, rec}
	}
}

// filing says under which device a record goes in the end, and names its host.
type filing func(device string, r discovery.Record) (string, discovery.Record)

// finish writes the file, each record as it is filed; names are what redacting
// takes out.
func (r *recorder) finish(filed filing, names func(device string) agent.Names) error {
	if r.queue == nil {
		return nil
	}
	close(r.queue)
	<-r.done
	defer os.Remove(r.waits.Name())
	defer r.waits.Close()
	if r.err != nil {
		return fmt.Errorf("record: %w", r.err)
	}
	if _, err := r.waits.Seek(0, 0); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return r.copyTo(filed, names)
}

func (r *recorder) copyTo(filed filing, names func(string) agent.Names) error {
	f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	out := bufio.NewWriter(f)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	in := json.NewDecoder(bufio.NewReader(r.waits))
	for in.More() {
		var one waiting
		if err := in.Decode(&one); err != nil {
			return errors.Join(fmt.Errorf("record: %w", err), f.Close())
		}
		if one.Device, one.Record = filed(one.Device, one.Record); one.Record.Host == "" {
			continue // a device that the scan forgot again
		}
		if r.redact {
			one.Record = agent.Redact(one.Record, names(one.Device))
		}
		if err := enc.Encode(one.Record); err != nil {
			return errors.Join(fmt.Errorf("record: %w", err), f.Close())
		}
	}
	return errors.Join(out.Flush(), f.Close())
}

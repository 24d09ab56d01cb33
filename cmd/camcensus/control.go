package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"camcensus/exporter"
	"camcensus/internal/agent"
)

func addControl(app *kingpin.Application, commands map[string]action) {
	for _, c := range []struct{ name, help string }{
		{"pause", "Make the running agent stop sending; it goes on listening."},
		{"resume", "Make the running agent send again."},
		{"rescan", "Make the running agent start a cycle now."},
	} {
		cmd := app.Command(c.name, c.help)
		storage := cmd.Flag("storage.path", "Directory of the running agent's inventory.").String()
		commands[cmd.FullCommand()] = func(ctx context.Context, s streams) error {
			dir, err := findStorage(*storage)
			if err != nil {
				return err
			}
			return callAgent(ctx, dir, http.MethodPost, "/api/v1/"+c.name, nil, nil)
		}
	}
}

// errNoAgent tells that no agent listens on the socket, errSilent that one does and
// says nothing: it was stopped, or is stuck.
var (
	errNoAgent = errors.New("no agent is running there")
	errSilent  = errors.New("the agent does not answer")
)

// patience is how long a running agent is waited for.
var patience = struct{ edit, firstByte, export time.Duration }{30 * time.Second, time.Minute, 5 * time.Minute}

// callAgent sends one request to the running agent over its socket; in and
// out are JSON bodies, or nil.
func callAgent(ctx context.Context, dir, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	resp, err := requestAgent(ctx, dir, method, path, body, patience.edit, patience.edit)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return unanswered(dir, patience.edit, readReply(resp, out))
}

// copyFromAgent writes the running agent's answer to w.
func copyFromAgent(ctx context.Context, dir, method, path string, w io.Writer) error {
	resp, err := requestAgent(ctx, dir, method, path, nil, patience.firstByte, patience.export)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return readReply(resp, nil)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

// unanswered names an agent that did not answer in time.
func unanswered(dir string, waited time.Duration, err error) error {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("%s: %w (waited %s)", filepath.Join(dir, agent.SocketName), errSilent, waited)
	}
	return err
}

// requestAgent waits so long for the first byte of the answer, and for all of it.
// What the agent gets to only after that it does not do.
func requestAgent(ctx context.Context, dir, method, path string, body io.Reader, first, all time.Duration) (*http.Response, error) {
	socket := filepath.Join(dir, agent.SocketName)
	client := &http.Client{Timeout: all, Transport: &http.Transport{
		DisableKeepAlives:     true,
		ResponseHeaderTimeout: first,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: first}).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, method, "http://camcensus"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(exporter.DeadlineHeader, time.Now().Add(all).UTC().Format(time.RFC3339Nano))
	resp, err := client.Do(req)
	if err = unanswered(dir, first, err); errors.Is(err, errSilent) {
		return nil, err
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return nil, fmt.Errorf("%s: %w (%v)", socket, errNoAgent, op.Err)
	}
	return resp, err
}

func readReply(resp *http.Response, out any) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode < 300 {
		if out == nil || len(b) == 0 {
			return nil
		}
		return json.Unmarshal(b, out)
	}
	var e struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if json.Unmarshal(b, &e) != nil || e.Error.Message == "" {
		return fmt.Errorf("the agent answered %s", resp.Status)
	}
	return errors.New(e.Error.Message)
}

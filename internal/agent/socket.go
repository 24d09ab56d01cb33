package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"go.uber.org/zap"

	"camcensus/exporter"
)

// SocketName is the file of the control socket in the storage directory.
const SocketName = "camcensus.sock"

// socketGroup may use the control socket beside its owner, where it exists.
const socketGroup = "camcensus"

// ServeSocket serves the API on a Unix socket beside the store, so that the
// commands that edit go through the agent that holds the store. Whoever may
// open the socket (mode 0660) may edit; the peer's user name is recorded.
func (a *Agent) ServeSocket(ctx context.Context, h http.Handler) error {
	if a.opts.StoragePath == "" {
		return nil
	}
	path := filepath.Join(a.opts.StoragePath, SocketName)
	l := a.listenSocket(ctx, path, socketRetry)
	if l == nil {
		return nil
	}
	if err := shareSocket(path); err != nil {
		a.log.Warn("control socket", zap.Error(err))
	}
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ErrorLog: zap.NewStdLog(a.log),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return exporter.WithUser(ctx, peerUser(c))
		},
	}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("agent: control socket: %w", err)
	}
	return nil
}

// socketRetry is how long the agent works without a socket before it tries
// again.
const socketRetry = 15 * time.Second

// listenSocket opens the socket. Where that cannot be (a path that is too long,
// a file system without sockets, a disk that is read-only for a while) the agent
// does its work without, says so, and tries again; nil at its end.
func (a *Agent) listenSocket(ctx context.Context, path string, retry time.Duration) net.Listener {
	for told := false; ; told = true {
		// The store's lock is ours, so that a socket left here is a dead agent's.
		err := os.Remove(path)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			var l net.Listener
			if l, err = net.Listen("unix", path); err == nil {
				return l
			}
		}
		if !told {
			a.log.Warn("no control socket: the inventory commands that edit cannot reach this agent", zap.Error(err))
		}
		if !sleep(ctx, retry) {
			return nil
		}
	}
}

func shareSocket(path string) error {
	if g, err := user.LookupGroup(socketGroup); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			if err := os.Chown(path, -1, gid); err != nil {
				return fmt.Errorf("give %s to group %s: %w", path, socketGroup, err)
			}
		}
	}
	return os.Chmod(path, 0o660)
}

// peerUser is the name of the user at the other end of a Unix connection.
func peerUser(c net.Conn) string {
	uid, ok := peerUID(c)
	if !ok {
		return "local"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "uid " + strconv.Itoa(uid)
}

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
	// The store's lock is ours, so that a socket left here is a dead agent's.
	err := os.Remove(path)
	var l net.Listener
	if err == nil || errors.Is(err, os.ErrNotExist) {
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		// A path that is too long, a file system without sockets, a disk that
		// is read-only: the agent can do its work without, and says so.
		a.log.Warn("no control socket: the inventory commands that edit cannot reach this agent", zap.Error(err))
		<-ctx.Done()
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

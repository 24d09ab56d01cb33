package exporter

import "context"

// peerKey is the context key of WithUser.
type peerKey struct{}

// WithUser marks the requests of a connection as those of a user whom the
// operating system vouches for: the peer of the control socket. Whoever may
// open the socket may change things, and is recorded by this name.
func WithUser(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, peerKey{}, name)
}

// peer is the user of WithUser, "" for a request from the network.
func peer(ctx context.Context) string {
	name, _ := ctx.Value(peerKey{}).(string)
	return name
}

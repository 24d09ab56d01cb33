//go:build race

package inventory

// raced: the race detector makes SQLite some fifteen times slower, so sizes shrink and times are logged alone.
const raced = true

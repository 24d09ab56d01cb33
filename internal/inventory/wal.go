package inventory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The write-ahead log and its index, as https://sqlite.org/fileformat2.html
// (section 4) and https://sqlite.org/walformat.html describe them.
const (
	walHeader   = 32
	walFrame    = 24 // before each page
	shmCopy     = 48 // the index's header stands twice
	shmPageSize = 14
	shmFrames   = 16
	shmChecksum = 24
	shmSalt     = 32
	shmBackfill = 2 * shmCopy
)

// SQLite trusts the log that it wrote: it checks a frame when it opens the log,
// not when it reads from it. checkLog holds the frames that count against their
// checksums, and the last of them against the index, which the running process
// has of its own.
func checkLog(path string) error {
	index, err := os.Open(path + "-shm")
	if err != nil {
		return nil // there is nothing to hold it against
	}
	defer index.Close()
	shm := make([]byte, shmBackfill+4)
	if _, err := io.ReadFull(index, shm); err != nil {
		return nil
	}
	native := binary.NativeEndian
	frames, pageSize := native.Uint32(shm[shmFrames:]), int(native.Uint16(shm[shmPageSize:]))
	if pageSize == 1 {
		pageSize = 1 << 16
	}
	if frames == native.Uint32(shm[shmBackfill:]) {
		return nil // all of it is in the file itself
	}
	log, err := os.Open(path + "-wal")
	if err != nil {
		return nil
	}
	defer log.Close()
	sum, err := sumLog(log, frames, pageSize, shm[shmSalt:shmSalt+8])
	if err == nil && (sum[0] != native.Uint32(shm[shmChecksum:]) || sum[1] != native.Uint32(shm[shmChecksum+4:])) {
		err = errors.New("its last frame is another")
	}
	if err != nil {
		return fmt.Errorf("%w: the log beside it: %w", errOverwritten, err)
	}
	return nil
}

// sumLog adds up the log's checksums to the given number of frames.
func sumLog(log io.Reader, frames uint32, pageSize int, salt []byte) (sum [2]uint32, err error) {
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(log, head); err != nil {
		return sum, err
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[3]&1 == 1 {
		order = binary.BigEndian
	}
	sum = addWords(sum, head[:24], order)
	if !bytes.Equal(head[16:24], salt) || !isSum(head[24:], sum) {
		return sum, errors.New("its header is another")
	}
	frame := make([]byte, walFrame+pageSize)
	for n := range frames {
		if _, err := io.ReadFull(log, frame); err != nil {
			return sum, fmt.Errorf("frame %d of %d: %w", n+1, frames, err)
		}
		sum = addWords(addWords(sum, frame[:8], order), frame[walFrame:], order)
		if !bytes.Equal(frame[8:16], salt) || !isSum(frame[16:], sum) {
			return sum, fmt.Errorf("frame %d of %d was altered", n+1, frames)
		}
	}
	return sum, nil
}

// isSum: checksums are stored big-endian, whatever they are added up by.
func isSum(b []byte, sum [2]uint32) bool {
	return binary.BigEndian.Uint32(b) == sum[0] && binary.BigEndian.Uint32(b[4:]) == sum[1]
}

func addWords(sum [2]uint32, b []byte, order binary.ByteOrder) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		sum[0] += order.Uint32(b) + sum[1]
		sum[1] += order.Uint32(b[4:]) + sum[0]
	}
	return sum
}

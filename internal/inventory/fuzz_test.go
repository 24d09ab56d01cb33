package inventory

import (
	"strings"
	"testing"

	"camcensus/fingerprint"
)

// FuzzStoredDevice: bytes from a damaged or hostile file never panic, and what
// is read can be written again.
func FuzzStoredDevice(f *testing.F) {
	i := newInventory(Options{})
	e := i.newEntry("mac", 1)
	e.bindings = []binding{{at: addressOf(ip("10.0.0.1")), no: 1, live: true, since: 1, last: 2}}
	e.macs = []hwaddr{{0x44, 0x19, 0xb6, 1, 2, 3}}
	e.keys = []key{makeKey(keySerial, "sadp", "X")}
	e.person().annotations.Note = "n"
	c := &cold{items: []item{{Evidence: fingerprint.Evidence{Source: "http", Port: 80, Field: "server", Value: "x"}}}, contradictions: []string{"c"}}
	body, packed := encodeEntry(e, true), encodeCold(c, nil)
	f.Add(body[:len(body)-4])
	f.Add(packed[:len(packed)-4])
	f.Add(append([]byte{1 | coldPacked}, deflate([]byte{0, 0, 0})...)) // the first form
	two := &encoder{b: []byte{coldVersion | coldPacked}}
	two.bytes(deflate([]byte{0, 0, 0}))
	two.fixed(deflate([]byte{0}))
	f.Add(two.b)
	f.Fuzz(func(t *testing.T, b []byte) {
		i := newInventory(Options{})
		b = (&encoder{b: b}).sealed()
		if e, err := decodeEntry(i, b); err == nil {
			if _, err := decodeEntry(i, encodeEntry(e, true)); err != nil {
				t.Fatalf("read once, but not again: %v", err)
			}
		}
		if c, err := decodeCold(i, b); err == nil {
			if _, err := decodeCold(i, encodeCold(c, nil)); err != nil {
				t.Fatalf("read once, but not again: %v", err)
			}
		}
	})
}

// FuzzAssetList: no list panics, and every line is accounted for once.
func FuzzAssetList(f *testing.F) {
	f.Add("name,mac,ip\nlobby,44:19:b6:10:20:01,10.0.0.1\n")
	f.Add("Nom;Adresse MAC;Numéro de série\n\"a;b\";;X123456\n")
	f.Add("mac\n\"")
	f.Fuzz(func(t *testing.T, list string) {
		i := newInventory(Options{})
		m, err := i.Import(strings.NewReader(list))
		if err == nil && len(m.Both) > 0 {
			t.Fatal("an empty inventory knows a device")
		}
	})
}

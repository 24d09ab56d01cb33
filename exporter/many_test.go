package exporter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"camcensus/fingerprint"
	"camcensus/internal/inventory"
	"camcensus/internal/policy"
)

// crowd is an inventory of n cameras, a tenth of them banned.
func crowd(t testing.TB, n int) *testAgent {
	t.Helper()
	inv, err := inventory.Open(t.Context(), inventory.Options{Site: "big"})
	if err != nil {
		t.Fatal(err)
	}
	for k := range n {
		verdict := policy.Clear
		if k%10 == 0 {
			verdict = policy.Banned
		}
		id := inv.Observe(inventory.Observation{Time: testTime, Source: "arp", IP: netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)}),
			MAC: net.HardwareAddr{0x44, 0x19, 0xb6, byte(k >> 16), byte(k >> 8), byte(k)}}).Device
		inv.Commit(id, fingerprint.Identity{Manufacturer: "Hikvision", Model: fmt.Sprintf("DS-2CD%d", k%300), Class: fingerprint.ClassCamera},
			[]policy.Verdict{{Policy: "ca-hikvision-2025", Verdict: verdict, Basis: "named", Verb: "use", Measure: "prohibited"}}, testTime)
	}
	a := newTestAgent()
	a.snapshot.Devices, a.snapshot.Many = nil, inv
	return a
}

// TestManyDevicesCostNoMemoryEach: what costs a little for each of a hundred
// thousand devices costs too much. Allocations do not depend on the machine's
// pace.
func TestManyDevicesCostNoMemoryEach(t *testing.T) {
	const n = 5000
	a := crowd(t, n)
	s := a.Snapshot()
	for _, q := range []string{"10.0.1.77", "44:19:b6:00:01", "nowhere"} {
		f := filter{q: q}
		found := 0
		if got := testing.AllocsPerRun(3, func() {
			found = 0
			f.walk(s.Many, func(*inventory.Device) { found++ })
		}); got > 100 {
			t.Errorf("search for %s: %.0f allocations for %d devices", q, got, n)
		}
		if want := map[string]int{"10.0.1.77": 1, "44:19:b6:00:01": 256, "nowhere": 0}[q]; found != want {
			t.Errorf("search for %s: %d devices, want %d", q, found, want)
		}
	}
	if got := testing.AllocsPerRun(3, func() { count(s) }); got > 3*n {
		t.Errorf("counting: %.0f allocations for %d devices, of which %d get series", got, n, n/10)
	}
	series := &deviceSeries{a, &sumCache{}}
	if got := testing.AllocsPerRun(3, func() { _ = series.write(io.Discard) }); got > 3*n/10 {
		t.Errorf("series of %d devices: %.0f allocations", n/10, got)
	}
}

// TestPagesOfManyDevicesShowEachOnce: where a list is too long to be sorted by
// address, its pages still hold every device, the banned first, and a page past
// the last is the last.
func TestPagesOfManyDevicesShowEachOnce(t *testing.T) {
	const n = sortByAddressUpTo + 250
	a := crowd(t, n)
	x := newTestExporter(t, a)
	link := regexp.MustCompile(`href="/devices/(d-[0-9a-z]+)"`)
	shown := func(page int) (ids []string) {
		for _, m := range link.FindAllStringSubmatch(request(x, "GET", "/?page="+strconv.Itoa(page), "").Body.String(), -1) {
			ids = append(ids, m[1])
		}
		return slices.Compact(ids)
	}
	seen := map[string]bool{}
	last := (n + rowsPerPage - 1) / rowsPerPage
	for page := 1; page <= last; page++ {
		for _, id := range shown(page) {
			if seen[id] {
				t.Fatalf("page %d shows %s again", page, id)
			}
			seen[id] = true
			d, _ := a.Device(id)
			if banned := worstVerdict(&d) == policy.Banned; banned != (len(seen) <= n/10) {
				t.Fatalf("page %d: %s, banned %v, stands as number %d", page, id, banned, len(seen))
			}
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d devices on %d pages", len(seen), n, last)
	}
	for _, page := range []int{last + 1, maxPage + 1} {
		if !slices.Equal(shown(page), shown(last)) {
			t.Errorf("page %d is not the last", page)
		}
	}
}

// faulty is an inventory in which a search panics, or whose devices cannot be read.
type faulty struct {
	Many
	search bool
}

func (f faulty) EachBrief(show ...func(*inventory.Device) bool) {
	if f.search && len(show) == searchers {
		panic("a search went wrong")
	}
	f.Many.EachBrief(show...)
}

func (f faulty) Details(ids []string, show func(*inventory.Device) error) error {
	if err := f.Many.Details(ids[:1], show); err != nil {
		return err
	}
	return errors.New("a device went wrong")
}

// TestAFaultInASearchIsSaid by the page and the log, and does not end the agent.
func TestAFaultInASearchIsSaid(t *testing.T) {
	for _, c := range []struct {
		name, target, log string
		fault             func(Many) Many
	}{
		{"search", "/", "a search went wrong", func(m Many) Many { return faulty{m, true} }},
		{"rows", "/?q=ds-2", "a device went wrong", func(m Many) Many { return faulty{m, false} }},
		{"list", "/api/v1/devices", "a device went wrong", func(m Many) Many { return faulty{m, false} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := crowd(t, 20)
			a.snapshot.Many = c.fault(a.snapshot.Many)
			core, logged := observer.New(zap.ErrorLevel)
			x := newTestExporter(t, a, func(o *Options) { o.Log = zap.New(core) })
			func() {
				defer func() {
					if why := recover(); (why == http.ErrAbortHandler) != (c.name == "list") { // part of the list is written by then
						t.Errorf("the answer ended with %v", why)
					}
				}()
				w := request(x, "GET", c.target, "")
				if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "could not be listed") || strings.Contains(w.Body.String(), "went wrong") {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}()
			if lines := logged.All(); len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0].ContextMap()["error"]), c.log) {
				t.Errorf("the log says %v", lines)
			}
		})
	}
}

func BenchmarkOfManyDevices(b *testing.B) {
	a := crowd(b, 100_000)
	x := newTestExporter(b, a)
	for _, target := range []string{"/metrics", "/", "/?q=10.0.1.77", "/api/v1/devices?limit=100", "/api/v1/devices?q=DS-2CD299&limit=100"} {
		b.Run(target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				request(x, "GET", target, "")
			}
		})
	}
	b.Run("after a change", func(b *testing.B) {
		for b.Loop() {
			count(a.snapshot)
		}
	})
}

package packet

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"camcensus/internal/lab"
)

func TestMain(m *testing.M) { lab.Isolate(m) }

// pair makes two interfaces with a cable between them.
func pair(t *testing.T) (a, b *net.Interface) {
	t.Helper()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "left0"}, PeerName: "right0"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatalf("make a veth pair: %v (needs a network namespace of its own)", err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	for _, name := range []string{"left0", "right0"} {
		l, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(l); err != nil {
			t.Fatal(err)
		}
	}
	a, _ = net.InterfaceByName("left0")
	b, _ = net.InterfaceByName("right0")
	return a, b
}

func open(t *testing.T, i *net.Interface, w Want) *Conn {
	t.Helper()
	filter, err := Filter(w)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(Options{Interface: i.Name, Index: i.Index, Filter: filter, Groups: AnnouncementGroups()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSocketCarriesFramesWithTheirTag(t *testing.T) {
	a, b := pair(t)
	tests := []struct {
		name  string
		frame []byte
		vlan  uint16
	}{
		{"untagged", arpFrame(t), 0},
		{"tagged", tagged(arpFrame(t), 5), 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sender, receiver := open(t, a, Want{ARP: true}), open(t, b, Want{ARP: true})
			buf := make([]byte, 2048)
			n, ci, err := 0, CaptureInfo{}, error(nil)
			for begun := time.Now(); time.Since(begun) < 10*time.Second; {
				// A link that has just come up drops what is sent before it is ready.
				if err := sender.WritePacket(context.Background(), tt.frame); err != nil {
					t.Fatal(err)
				}
				if err := receiver.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if n, ci, err = receiver.ReadPacket(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			var f Frame
			if err := NewDecoder().Decode(buf[:n], &f); err != nil || f.Protocol != ARP || f.From != ip4A {
				t.Fatalf("decoded %+v, %v", f, err)
			}
			if got := max(ci.VLAN, f.VLAN); got != tt.vlan || ci.Interface != b.Name || time.Since(ci.Time) > time.Minute {
				t.Errorf("capture info %+v, tag %d, want %d", ci, got, tt.vlan)
			}
		})
	}
}

func TestSocketDoesNotHearItself(t *testing.T) {
	a, _ := pair(t)
	c := open(t, a, Want{ARP: true})
	if err := c.WritePacket(context.Background(), arpFrame(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.ReadPacket(make([]byte, 2048)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v, want the deadline", err)
	}
}

func TestCloseEndsABlockedRead(t *testing.T) {
	a, _ := pair(t)
	c := open(t, a, Want{ARP: true})
	done := make(chan error)
	go func() {
		_, _, err := c.ReadPacket(make([]byte, 2048))
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	c.Close()
	select {
	case err := <-done:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Fatal("still reading after Close")
	}
}

func TestSocketHearsAgainAfterTheLinkWasDown(t *testing.T) {
	a, b := pair(t)
	sender, receiver := open(t, a, Want{ARP: true}), open(t, b, Want{ARP: true})
	link, err := netlink.LinkByName(b.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.LinkSetDown(link), netlink.LinkSetUp(link)); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(3 * time.Second)
	for time.Now().Before(deadline) {
		_ = sender.WritePacket(context.Background(), arpFrame(t))
		_ = receiver.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, _, err := receiver.ReadPacket(make([]byte, 2048)); err == nil {
			return
		}
	}
	t.Error("nothing heard after the link came back")
}

func TestStatsCountWhatWasDropped(t *testing.T) {
	a, b := pair(t)
	sender, receiver := open(t, a, Want{ARP: true}), open(t, b, Want{ARP: true})
	const sent = 60000
	for range sent {
		if err := sender.WritePacket(context.Background(), arpFrame(t)); err != nil {
			t.Fatal(err)
		}
	}
	first := receiver.Stats()
	if second := receiver.Stats(); second.Received < first.Received || first.Received == 0 || first.Dropped > first.Received {
		t.Errorf("stats %+v, then %+v", first, second)
	}
}

package lab

import (
	"bufio"
	"crypto/tls"
	"net"
	"net/netip"
	"time"
)

// connectionLife bounds one connection to a simulated device, faults included.
const connectionLife = 60 * time.Second

// serve plays what listens on the device's TCP port of that well-known number. It closes the connection.
func (v *voice) serve(c net.Conn, number uint16) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(connectionLife))
	p := v.Ports[number]
	switch {
	case v.Faults.TCP == "silent" || p == nil || p.Open:
		drain(c)
		return
	case v.Faults.TCP == "resets":
		reset(c)
		return
	}
	time.Sleep(v.Faults.Slow)
	plain := c
	if p.TLS {
		certificate, err := v.certificate()
		if err != nil {
			return
		}
		t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10})
		if t.Handshake() != nil {
			return
		}
		defer t.Close()
		c = t
	}
	s := v.Device.scene(v.port)
	if from, err := netip.ParseAddrPort(plain.RemoteAddr().String()); err == nil {
		s = v.scene(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	switch r := bufio.NewReaderSize(c, 16<<10); {
	case p.Banner != "":
		v.say(c, []byte(p.Banner))
		drain(c)
	case p.RTSP:
		v.serveRTSP(c, r, s)
	case p.Web != "":
		v.serveWeb(c, r, s, v.Web[p.Web])
	}
}

// say writes an answer as the device's faults have it.
func (v *voice) say(c net.Conn, b []byte) bool {
	switch v.Faults.TCP {
	case "malformed":
		b = garble(b)
	case "endless":
		for err := error(nil); err == nil; {
			_, err = c.Write(b)
			b = []byte("<!-- and so on, and so on, and so on -->\r\n")
		}
		return false
	}
	if v.Faults.Slow == 0 {
		_, err := c.Write(b)
		return err == nil
	}
	for len(b) > 0 {
		n := min(len(b), 64)
		if _, err := c.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
		time.Sleep(v.Faults.Slow / 8)
	}
	return true
}

// drain reads until the other side has enough.
func drain(c net.Conn) {
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// reset waits for the question and cuts the connection without a word.
func reset(c net.Conn) {
	_, _ = c.Read(make([]byte, 4096))
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
}

package probe

import (
	"crypto/rand"
	"encoding/binary"
)

// The parts of TLS that a certificate takes to be read: RFC 5246 sections 6.2
// and 7.4, and RFC 6101 for the version before it.
const (
	recordAlert       = 21
	recordHandshake   = 22
	recordApplication = 23
	recordChange      = 20

	messageServerHello = 2
	messageCertificate = 11
	messageHelloDone   = 14

	alertProtocolVersion = 70

	maxFlight      = 64 << 10
	maxRecord      = 16<<10 + 2048
	maxCertificate = 32 << 10
)

// closeNotify takes leave politely.
var closeNotify = []byte{recordAlert, 3, 1, 0, 2, 1, 0}

// flight is what a server says in the clear before keys are in use.
type flight struct {
	version uint16 // of the ServerHello
	leaf    []byte // the first certificate, DER; nil until it is whole
	alert   byte   // description of the alert that refused us
	alerted bool
	over    bool // nothing more will come in the clear
	foreign bool // these bytes are no TLS
	err     error
}

// any tells whether the server said anything that is TLS or is not.
func (f flight) any() bool {
	return f.version != 0 || f.leaf != nil || f.alerted || f.foreign || f.over
}

func (f flight) complete() bool { return f.leaf != nil || f.alerted || f.foreign || f.over }

// parseFlight reads records and the handshake messages within them, as far as
// they have arrived. It never panics and copies at most maxFlight bytes.
func parseFlight(b []byte) flight {
	var f flight
	var messages []byte
	b = b[:min(len(b), maxFlight)]
	for len(b) > 0 {
		if b[0] < recordChange || b[0] > recordApplication || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
			f.foreign = f.version == 0
			f.over = true
			break
		}
		if len(b) < 5 {
			break
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n > maxRecord {
			f.foreign, f.over = f.version == 0, true
			break
		}
		body := b[5:min(len(b), 5+n)]
		switch b[0] {
		case recordHandshake:
			messages = append(messages, body...)
		case recordAlert:
			if len(body) == 2 {
				f.readAlert(body)
			} else if len(body) > 2 {
				f.over = true
			}
		default:
			f.over = true // from here on it is encrypted
		}
		if f.over || f.alerted || len(body) < n {
			break
		}
		b = b[5+n:]
	}
	f.readMessages(messages)
	return f
}

// readAlert takes a warning for what it is: unrecognised_name comes before the
// ServerHello and ends nothing.
func (f *flight) readAlert(body []byte) {
	const warning, closeNotify, noRenegotiation = 1, 0, 100
	if body[0] == warning && body[1] != closeNotify && body[1] != noRenegotiation {
		return
	}
	f.alert, f.alerted = body[1], true
}

func (f *flight) readMessages(b []byte) {
	for len(b) >= 4 {
		n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if n > maxFlight {
			f.over = true
			return
		}
		if len(b) < 4+n {
			return
		}
		body := b[4 : 4+n]
		switch b[0] {
		case messageServerHello:
			if n >= 2 {
				f.version = binary.BigEndian.Uint16(body)
			}
		case messageCertificate:
			f.leaf = firstCertificate(body)
			f.over = true
			return
		case messageHelloDone:
			f.over = true
			return
		}
		b = b[4+n:]
	}
}

// firstCertificate takes the leaf out of a Certificate message. A length that
// promises more than there is gives what there is.
func firstCertificate(b []byte) []byte {
	if len(b) < 6 {
		return nil
	}
	n := int(b[3])<<16 | int(b[4])<<8 | int(b[5])
	b = b[6:min(len(b), 6+n, 6+maxCertificate)]
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

// Suites that the standard library does not know and old servers insist on:
// ephemeral Diffie-Hellman, DES, RC4 and the export ones. We never come as far
// as using one.
var wideSuites = []uint16{
	0xc02b, 0xc02f, 0xc02c, 0xc030, 0xc013, 0xc014, 0xc009, 0xc00a, 0xc012, 0xc011, 0xc007, 0xc008,
	0x009e, 0x009f, 0x0067, 0x006b, 0x0033, 0x0039, 0x0016, 0x0015, 0x0045, 0x0088, 0x009a,
	0x009c, 0x009d, 0x003c, 0x003d, 0x002f, 0x0035, 0x000a, 0x0009, 0x0005, 0x0004, 0x0041, 0x0084, 0x0096,
	0x0013, 0x0012, 0x0032, 0x0038, 0x0040, 0x006a, 0x00a2, 0x00a3,
	0x0003, 0x0006, 0x0008, 0x0014, 0x0011, 0x0001, 0x0002, 0x003b, 0x00ff,
}

var oldSuites = []uint16{
	0x0035, 0x002f, 0x0039, 0x0033, 0x000a, 0x0016, 0x0005, 0x0004, 0x0009, 0x0015, 0x0003, 0x0006, 0x0008, 0x0014,
	0x0038, 0x0032, 0x0013, 0x0012, 0x0011, 0x0001, 0x0002, 0x00ff,
}

// wideHello is a ClientHello of TLS 1.2 with every suite a device may want.
func wideHello() []byte {
	extensions := []byte{
		0, 10, 0, 10, 0, 8, 0, 29, 0, 23, 0, 24, 0, 25, // supported_groups
		0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
		0, 13, 0, 30, 0, 28, // signature_algorithms
		4, 1, 5, 1, 6, 1, 4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 2, 1, 2, 3, 2, 2, 4, 2, 1, 1,
	}
	return clientHello(0x0301, 0x0303, wideSuites, extensions)
}

// oldHello is a ClientHello of TLS 1.0 without extensions, as servers that
// predate them need it; a server of SSL 3 answers it as well.
func oldHello() []byte { return clientHello(0x0300, 0x0301, oldSuites, nil) }

func clientHello(record, version uint16, suites []uint16, extensions []byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	var random [32]byte
	rand.Read(random[:]) // never fails since Go 1.24
	body = append(body, random[:]...)
	body = append(body, 0) // no session to resume
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0) // no compression
	if len(extensions) > 0 {
		body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
		body = append(body, extensions...)
	}
	b := []byte{recordHandshake}
	b = binary.BigEndian.AppendUint16(b, record)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(body)))
	b = append(b, 1, byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	return append(b, body...)
}

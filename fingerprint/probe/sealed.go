package probe

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// In TLS 1.3 the certificate passes sealed. The library opens it for itself,
// and when it then refuses the certificate as malformed, the keys that it
// logged for this one connection open it for us: RFC 8446 sections 5.2, 7.3.

// sealedLeaf is the leaf of a recorded TLS 1.3 handshake, nil when it cannot
// be read. keyLog is what the library wrote to KeyLogWriter.
func sealedLeaf(recorded, keyLog []byte) []byte {
	secret := loggedSecret(keyLog)
	if secret == nil {
		return nil
	}
	var open *opener
	var hello, messages []byte
	for b := recorded[:min(len(recorded), maxFlight)]; len(b) >= 5; {
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n > maxRecord || len(b) < 5+n {
			break
		}
		head, body := b[:5], b[5:5+n]
		b = b[5+n:]
		switch head[0] {
		case recordHandshake:
			hello = append(hello, body...)
		case recordApplication:
			if open == nil {
				if open = newOpener(suiteOf(hello), secret); open == nil {
					return nil
				}
			}
			plain, ok := open.record(head, body)
			if !ok {
				return sealedCertificate(messages)
			}
			messages = append(messages, plain...)
		}
	}
	return sealedCertificate(messages)
}

// loggedSecret finds the server's handshake secret in an NSS key log.
func loggedSecret(keyLog []byte) []byte {
	for line := range bytes.Lines(keyLog) {
		if words := bytes.Fields(line); len(words) == 3 && string(words[0]) == "SERVER_HANDSHAKE_TRAFFIC_SECRET" {
			secret, err := hex.DecodeString(string(words[2]))
			if err == nil {
				return secret
			}
		}
	}
	return nil
}

// suiteOf reads the cipher suite that the last ServerHello chose.
func suiteOf(b []byte) uint16 {
	var suite uint16
	for len(b) >= 4 {
		n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if len(b) < 4+n {
			break
		}
		if body := b[4 : 4+n]; b[0] == messageServerHello && n > 34 {
			if at := 35 + int(body[34]); n >= at+2 {
				suite = binary.BigEndian.Uint16(body[at:])
			}
		}
		b = b[4+n:]
	}
	return suite
}

// opener opens the server's records one after the other.
type opener struct {
	aead cipher.AEAD
	iv   []byte
	next uint64
}

func newOpener(suite uint16, secret []byte) *opener {
	var sum func() hash.Hash
	var size int
	switch suite {
	case 0x1301: // TLS_AES_128_GCM_SHA256
		sum, size = sha256.New, 16
	case 0x1302: // TLS_AES_256_GCM_SHA384
		sum, size = sha512.New384, 32
	default:
		return nil
	}
	if len(secret) != sum().Size() {
		return nil
	}
	key, errKey := expand(sum, secret, "key", size)
	iv, errIV := expand(sum, secret, "iv", 12)
	if errKey != nil || errIV != nil {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil
	}
	return &opener{aead: aead, iv: iv}
}

// expand is HKDF-Expand-Label with an empty context.
func expand(sum func() hash.Hash, secret []byte, label string, size int) ([]byte, error) {
	full := "tls13 " + label
	text := string(binary.BigEndian.AppendUint16(nil, uint16(size))) + string(rune(len(full))) + full + "\x00"
	return hkdf.Expand(sum, secret, text, size)
}

// record opens one record and gives its handshake bytes.
func (o *opener) record(head, body []byte) ([]byte, bool) {
	nonce := bytes.Clone(o.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(o.next >> (56 - 8*i))
	}
	o.next++
	plain, err := o.aead.Open(nil, nonce, body, head)
	if err != nil {
		return nil, false
	}
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != recordHandshake {
		return nil, false
	}
	return plain[:len(plain)-1], true
}

// sealedCertificate takes the leaf out of TLS 1.3's Certificate message,
// which carries a context before the list (RFC 8446 section 4.4.2).
func sealedCertificate(b []byte) []byte {
	for len(b) >= 4 {
		n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if len(b) < 4+n {
			return nil
		}
		if body := b[4 : 4+n]; b[0] == messageCertificate && n > 0 && n >= 1+int(body[0]) {
			return firstCertificate(body[1+int(body[0]):])
		}
		b = b[4+n:]
	}
	return nil
}

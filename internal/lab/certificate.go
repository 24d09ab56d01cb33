package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// certificates are made once per device and process: the keys are worth nothing.
var certificates sync.Map

// labKey signs and serves for every device: making a key for each would be the slowest thing in the lab.
var labKey = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })

func (v *voice) certificate() (tls.Certificate, error) {
	key := v.site.Name + "/" + v.Name
	if c, ok := certificates.Load(key); ok {
		return c.(tls.Certificate), nil
	}
	s := v.Device.scene(v.port)
	subject, err := distinguished(s, v.TLS.Subject)
	if err != nil {
		return tls.Certificate{}, err
	}
	issuer := subject
	if v.TLS.Issuer != "" {
		if issuer, err = distinguished(s, v.TLS.Issuer); err != nil {
			return tls.Certificate{}, err
		}
	}
	private, err := labKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	made := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{SerialNumber: new(big.Int).SetUint64(seed(key)), Subject: subject, NotBefore: made, NotAfter: made.AddDate(20, 0, 0)}
	for _, name := range v.TLS.Names {
		text, err := s.text(name)
		if err != nil {
			return tls.Certificate{}, err
		}
		leaf.DNSNames = append(leaf.DNSNames, text)
	}
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: issuer, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("lab: certificate of %s: %w", v.Name, err)
	}
	c := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	certificates.Store(key, c)
	return c, nil
}

// distinguished reads CN=...,O=... with commas escaped by a backslash.
func distinguished(s *Scene, source string) (pkix.Name, error) {
	text, err := s.text(source)
	if err != nil {
		return pkix.Name{}, err
	}
	var name pkix.Name
	for _, part := range strings.Split(strings.ReplaceAll(text, `\,`, "\x00"), ",") {
		key, value, ok := strings.Cut(strings.ReplaceAll(part, "\x00", ","), "=")
		into := map[string]*[]string{"O": &name.Organization, "OU": &name.OrganizationalUnit, "L": &name.Locality, "ST": &name.Province, "C": &name.Country}
		switch key = strings.TrimSpace(key); {
		case !ok:
			return name, fmt.Errorf("lab: %q is no distinguished name", text)
		case key == "CN":
			name.CommonName = value
		case key == "serialNumber":
			name.SerialNumber = value
		case into[key] != nil:
			*into[key] = append(*into[key], value)
		default:
			return name, fmt.Errorf("lab: distinguished name %q: unknown part %q", text, key)
		}
	}
	return name, nil
}

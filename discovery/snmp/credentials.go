package snmp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/gosnmp/gosnmp"
	"go.yaml.in/yaml/v3"
)

// credentials is the file that a router's credentials_file names:
//
//	community: public-ro                # version 2c
//
//	user: census                        # version 3
//	auth: sha256                        # md5, sha, sha224, sha256, sha384, sha512; none without
//	auth_password: "..."
//	privacy: aes                        # des, aes, aes192, aes256; none without
//	privacy_password: "..."
//	context: ""
type credentials struct {
	Community       string `yaml:"community"`
	User            string `yaml:"user"`
	Auth            string `yaml:"auth"`
	AuthPassword    string `yaml:"auth_password"`
	Privacy         string `yaml:"privacy"`
	PrivacyPassword string `yaml:"privacy_password"`
	Context         string `yaml:"context"`
}

// String keeps the secrets out of logs.
func (c credentials) String() string { return "***" }

// GoString does so for %#v.
func (c credentials) GoString() string { return "***" }

// maxFile bounds the file, in bytes.
const maxFile = 1 << 16

var authProtocols = map[string]gosnmp.SnmpV3AuthProtocol{
	"": gosnmp.NoAuth, "md5": gosnmp.MD5, "sha": gosnmp.SHA, "sha224": gosnmp.SHA224,
	"sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512,
}

var privacyProtocols = map[string]gosnmp.SnmpV3PrivProtocol{
	"": gosnmp.NoPriv, "des": gosnmp.DES, "aes": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256,
}

// load reads a file that nobody else can read.
func load(path string) (credentials, error) {
	var c credentials
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return c, err
	}
	switch mode := stat.Mode(); {
	case !mode.IsRegular():
		return c, fmt.Errorf("%s is not a regular file", path)
	case runtime.GOOS == "windows":
		return c, fmt.Errorf("%s: who can read it cannot be told on this system (needs file modes)", path)
	case mode.Perm()&0o077 != 0:
		return c, fmt.Errorf("%s has mode %04o, others can read it (needs chmod 600)", path, mode.Perm())
	}
	d := yaml.NewDecoder(io.LimitReader(f, maxFile))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// apply enters the credentials for a version into a client.
func (c credentials) apply(version string, client *gosnmp.GoSNMP) error {
	if version == "2c" {
		if c.Community == "" {
			return errors.New("no community (version 2c needs one)")
		}
		client.Version, client.Community = gosnmp.Version2c, c.Community
		return nil
	}
	auth, known := authProtocols[strings.ToLower(c.Auth)]
	privacy, private := privacyProtocols[strings.ToLower(c.Privacy)]
	switch {
	case c.User == "":
		return errors.New("no user (version 3 needs one)")
	case !known:
		return fmt.Errorf("auth %q (needs md5, sha, sha224, sha256, sha384 or sha512)", c.Auth)
	case !private:
		return fmt.Errorf("privacy %q (needs des, aes, aes192 or aes256)", c.Privacy)
	case privacy != gosnmp.NoPriv && auth == gosnmp.NoAuth:
		return errors.New("privacy without auth (needs both)")
	case auth != gosnmp.NoAuth && len(c.AuthPassword) < 8, privacy != gosnmp.NoPriv && len(c.PrivacyPassword) < 8:
		return errors.New("a password shorter than 8 characters (RFC 3414 section 11.2 needs 8)")
	}
	client.Version, client.SecurityModel, client.ContextName = gosnmp.Version3, gosnmp.UserSecurityModel, c.Context
	switch {
	case privacy != gosnmp.NoPriv:
		client.MsgFlags = gosnmp.AuthPriv
	case auth != gosnmp.NoAuth:
		client.MsgFlags = gosnmp.AuthNoPriv
	}
	client.SecurityParameters = &gosnmp.UsmSecurityParameters{
		UserName: c.User, AuthenticationProtocol: auth, AuthenticationPassphrase: c.AuthPassword,
		PrivacyProtocol: privacy, PrivacyPassphrase: c.PrivacyPassword,
	}
	return nil
}

// check tries the credentials out without a packet.
func (c credentials) check(version string) error { return c.apply(version, &gosnmp.GoSNMP{}) }

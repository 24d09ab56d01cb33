package native

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"camcensus/discovery"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func line(t testing.TB, name string) vendor {
	t.Helper()
	for _, v := range vendors {
		if v.name == name {
			return v
		}
	}
	t.Fatalf("no vendor %s", name)
	return vendor{}
}

func value(fields []discovery.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestFields(t *testing.T) {
	tests := []struct {
		vendor, file string
		want         map[string]string
	}{
		{"tvt", "tvt.bin", map[string]string{"model": "DCN-BM0001AI", "brand": "DVC", "serial": "N0000000001", "mac": "00:18:18:00:0a:0b", "ip": "10.77.0.51", "class": "IPC", "firmware": "1.5-1400000", "channels": "1", "port.http": "80", "port.rtsp": "554", "port.sdk": "6036", "name": "yard"}},
		{"xmeye", "xmeye.bin", map[string]string{"mac": "00:12:31:0a:0b:0c", "ip": "10.77.0.52", "channels": "4", "port.sdk": "34567", "port.http": "80", "serial": "00000000000000a1"}},
		{"hanwha", "hanwha.bin", map[string]string{"mac": "00:09:18:0a:0b:0c", "ip": "10.77.0.53", "model": "QNV-8080R", "port.http": "8081"}},
		{"bosch", "bosch.bin", map[string]string{"mac": "00:07:5f:0a:0b:0c", "ip": "10.77.0.54"}},
		{"bosch", "bosch.xml", map[string]string{"mac": "00:07:5f:0a:0b:0d", "model": "FLEXIDOME IP 4000i", "name": "Gate 2", "serial": "044000000000000001", "port.https": "443"}},
		{"vivotek", "vivotek.bin", map[string]string{"mac": "00:02:d1:0a:0b:0c", "ip": "10.77.0.55", "model": "FD8134", "port.http": "8082", "name": "Mega-Pixel Network Camera"}},
		{"sony", "sony.bin", map[string]string{"mac": "54:42:49:0a:0b:0c", "model": "SNC-DH110", "serial": "0000001", "firmware": "1.79.00", "ip": "10.77.0.56", "port.http": "80"}},
		{"panasonic", "panasonic.bin", map[string]string{"mac": "bc:c3:42:0a:0b:0c", "model": "WV-S2131L", "name": "Entrance camera", "firmware": "5.00", "ip": "10.77.0.57", "port.http": "80"}},
		{"foscam", "foscam.bin", map[string]string{"mac": "00:a0:c5:0a:0b:0c", "name": "porch", "ip": "10.77.0.58", "firmware": "11.37.2.49", "port.http": "88"}},
		{"foscam", "foscam_masked.bin", map[string]string{"mac": "00:a0:c5:0a:0b:0c", "name": "porch", "port.http": "88"}},
		{"ubiquiti", "ubiquiti.bin", map[string]string{"mac": "24:a4:3c:0a:0b:0c", "ip": "10.77.0.59", "model": "UVC G3 Dome", "product": "UVC", "firmware": "UVC.S2L.v4.30.0", "name": "UVC G3"}},
		{"tplink", "tplink.bin", map[string]string{"mac": "f0:a7:31:0a:0b:0c", "model": "C100", "class": "SMART.IPCAMERA", "firmware": "1.3.14 Build 240513", "ip": "10.77.0.60"}},
		{"dvrip", "dvrip.bin", map[string]string{"mac": "90:02:a9:0a:0b:0c", "model": "IPC-HFW2100", "serial": "PZC3LW00000001", "ip": "10.77.0.61", "port.http": "80", "port.sdk": "37777"}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			v := line(t, test.vendor)
			fields := v.fields(test.vendor, fixture(t, test.file))
			for name, want := range test.want {
				if got := value(fields, name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestAnswersOfOneProtocolAreNoAnswersOfAnother(t *testing.T) {
	files, _ := filepath.Glob("testdata/*")
	for _, file := range files {
		owner, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), "_")
		for _, v := range vendors {
			if got := v.answers(fixture(t, filepath.Base(file))); got != (v.name == owner) {
				t.Errorf("%s is an answer of %s: %v", file, v.name, got)
			}
		}
	}
}

func TestOwnQuestionsAreNoAnswers(t *testing.T) {
	for _, asked := range vendors {
		for _, r := range asked.requests {
			for _, v := range vendors {
				if v.answers(r.bytes) {
					t.Errorf("the question of %s passes for an answer of %s", asked.name, v.name)
				}
			}
		}
	}
}

func TestRedactionKeepsTheFacts(t *testing.T) {
	for name, secrets := range map[string][]string{
		"bosch.xml":  {"DEADBEEF00"},
		"tplink.bin": {"0123456789abcdef", "FEDCBA9876543210"},
	} {
		vendorName, _, _ := strings.Cut(name, ".")
		v := line(t, vendorName)
		raw := fixture(t, name)
		kept := v.hear(raw)[0].Raw
		for _, secret := range secrets {
			if bytes.Contains(kept, []byte(secret)) {
				t.Errorf("%s: %s is kept", name, secret)
			}
		}
		before, after := v.fields(vendorName, raw), v.fields(vendorName, kept)
		if len(before) != len(after) {
			t.Errorf("%s: %v became %v", name, before, after)
		}
	}
	if cut := redactTPLink([]byte(`{"owner" : "FEDC`)); bytes.Contains(cut, []byte("FEDC")) {
		t.Errorf("a cut-off secret is kept: %s", cut)
	}
}

func TestShortAnswersAreSurvived(t *testing.T) {
	files, _ := filepath.Glob("testdata/*")
	for _, file := range files {
		raw := fixture(t, filepath.Base(file))
		for n := range raw {
			for _, v := range vendors {
				v.fields(v.name, raw[:n])
				v.hear(raw[:n])
			}
		}
	}
}

func FuzzFields(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, file := range files {
		f.Add(fixture(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, v := range vendors {
			for _, h := range v.hear(raw) {
				for _, field := range v.fields(v.name, h.Raw) {
					if !utf8.ValidString(field.Value) || field.Value == "" {
						t.Errorf("%s: %s holds %q", v.name, field.Name, field.Value)
					}
				}
			}
		}
	})
}

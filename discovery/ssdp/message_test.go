package ssdp

import (
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

func value(fields []discovery.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func TestFields(t *testing.T) {
	axis := string(fixture(t, "axis.txt"))
	tests := []struct{ name, raw, field, want string }{
		{"start line", axis, "startline", "HTTP/1.1 200 OK"},
		{"type", axis, "st", "urn:axis-com:service:BasicService:1"},
		{"location", axis, "location", "http://10.77.0.41:45895/rootdesc1.xml"},
		{"other header", axis, "header.x-user-agent", "redsonic"},
		{"MAC of the device name", axis, "mac", "ac:cc:8e:00:00:01"},
		{"announcement", string(fixture(t, "axis_notify.txt")), "nts", "ssdp:alive"},
		{"server that names the maker", string(fixture(t, "dahua.txt")), "server", "Linux/3.8.8, UPnP/1.0, ZheJiang Dahua Technology CO.,LTD. Upnp SDK"},
		{"serial in the device name", string(fixture(t, "amcrest.txt")), "usn", "uuid:device_3_0-AMC000000000000001::upnp:rootdevice"},
		{"bare line feeds", strings.ReplaceAll(axis, "\r\n", "\n"), "mac", "ac:cc:8e:00:00:01"},
		{"names in any case", strings.Replace(axis, "SERVER", "Server", 1), "server", "Linux/2.6.35, UPnP/1.0, Portable SDK for UPnP devices/1.6.18"},
		{"longer tail is no MAC", strings.ReplaceAll(axis, "ACCC8E000001", "3014F711A000001234567890"), "mac", ""},
		{"random UUID is no MAC", "HTTP/1.1 200 OK\nUSN: uuid:f144ca92-6816-44b5-b95f-b58180834044::upnp:rootdevice", "mac", ""},
		{"lines without names", "HTTP/1.1 200 OK\nmax-age=100\nhttp://10.0.0.1/d.xml\nLinux/2.6, UPnP/1.0, X/1\nuuid:28802880-2880-1880-a880-001bc50a0b0c::upnp:rootdevice", "server", "Linux/2.6, UPnP/1.0, X/1"},
		{"location without a name", "HTTP/1.1 200 OK\nhttp://10.0.0.1/d.xml", "location", "http://10.0.0.1/d.xml"},
		{"somebody's search", searchRoot, "startline", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := value(Fields("ssdp", []byte(test.raw)), test.field); got != test.want {
				t.Errorf("%s = %q, want %q", test.field, got, test.want)
			}
		})
	}
}

func TestReadTellsAnswersAnnouncementsAndGoodbyesApart(t *testing.T) {
	notify := string(fixture(t, "axis_notify.txt"))
	if h := Hear([]byte(notify)); len(h) != 1 || !h[0].Announced || h[0].Departed {
		t.Errorf("alive is %+v", h)
	}
	if h := Hear([]byte(strings.Replace(notify, "ssdp:alive", "ssdp:byebye", 1))); len(h) != 1 || h[0].Announced || !h[0].Departed {
		t.Errorf("byebye is %+v", h)
	}
	if h := Hear([]byte(searchRoot)); len(h) != 1 || h[0].Kind != "" {
		t.Errorf("a search is %+v", h)
	}
	if h := Hear([]byte("GET / HTTP/1.1\r\n\r\n")); h != nil {
		t.Errorf("noise is %+v", h)
	}
}

func FuzzFields(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		f.Add(fixture(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, field := range Fields("ssdp", raw) {
			if !utf8.ValidString(field.Value) || field.Value == "" {
				t.Errorf("%s holds %q", field.Name, field.Value)
			}
		}
		Hear(raw)
	})
}

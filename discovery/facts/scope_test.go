package facts

import "testing"

func TestScopesNameTheirField(t *testing.T) {
	for _, c := range []struct{ scope, field, value string }{
		{"onvif://www.onvif.org/hardware/DS-2CD2085G1-I", "scope.hardware", "DS-2CD2085G1-I"},
		{"ONVIF://WWW.ONVIF.ORG/Name/Lobby%20east", "scope.name", "Lobby east"},
		{"onvif://www.onvif.org/name/100%", "scope.name", "100%"},
		{"onvif://www.onvif.org/location/country/canada/", "scope.location", "country/canada"},
		{"onvif://www.onvif.org/type/manufacturer/Foscam", "scope.manufacturer", "Foscam"},
		{"onvif://www.onvif.org/type/ptz", "scope.type", "ptz"},
		{"onvif://www.onvif.org/MACAddress/44-19-B6-00-00-01", ScopeMAC, "44:19:b6:00:00:01"},
		{"onvif://www.onvif.org/MAC/unknown", "", ""},
		{"onvif://www.onvif.org/colour/red", "", ""},
		{"onvif://www.onvif.org/hardware/", "", ""},
		{"onvif://www.onvif.org/hardware", "", ""},
		{"onvif://www.example.org/hardware/X", "", ""},
		{"", "", ""},
	} {
		field, value, ok := Scope(c.scope)
		if ok != (c.field != "") || ok && (field != c.field || value != c.value) {
			t.Errorf("Scope(%q) = %q, %q, %v; want %q, %q", c.scope, field, value, ok, c.field, c.value)
		}
	}
}

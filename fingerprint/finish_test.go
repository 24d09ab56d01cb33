package fingerprint

import "testing"

func TestAModelLosesTheNameBeforeItAsLongAsANumberIsLeft(t *testing.T) {
	for _, tc := range []struct{ model, name, want string }{
		{"AXIS P3245-LVE", "Axis", "P3245-LVE"},
		{"Axis_M3086-V", "Axis", "M3086-V"},
		{"P3245-LVE", "Axis", "P3245-LVE"},
		{"HP LaserJet", "HP", "HP LaserJet"},
		{"Axis", "Axis", "Axis"},
		{"AXISP3245", "Axis", "AXISP3245"},
		{"", "Axis", ""},
		{"C200", "", "C200"},
	} {
		if got := withoutName(tc.model, tc.name); got != tc.want {
			t.Errorf("%q without %q: %q, want %q", tc.model, tc.name, got, tc.want)
		}
	}
}

func TestATypedNameOfAListedMakerIsNoBrandOfAnInnocentDevice(t *testing.T) {
	set, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	id := set.Identify([]Evidence{
		{Source: "http", Port: 80, Field: "realm", Value: "AXIS_ACCC8E010203", Solicited: true},
		{Source: "wsd", Port: 3702, Field: "scope.name", Value: "HIKVISION"},
	})
	if id.Manufacturer != "Axis" || id.Brand == "Hikvision" {
		t.Errorf("made by %q, sold as %q", id.Manufacturer, id.Brand)
	}
}

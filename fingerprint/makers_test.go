package fingerprint_test

import (
	"strings"
	"testing"
)

func TestMakerTakesFirmsAndRefusesLabels(t *testing.T) {
	rules := shippedRules(t)
	for _, c := range []struct{ name, want, fault string }{
		{name: "Hikvision", want: "Hikvision"},
		{name: " hikvision ", want: "Hikvision"},
		{name: "Hangzhou Hikvision Digital Technology Co., Ltd.", want: "Hikvision"},
		{name: "hangzhou hikvision digital technology co.,ltd", want: "Hikvision"},
		{name: "ezviz", want: "EZVIZ"},
		{name: "AXIS", want: "Axis"},
		{name: "honeywell", want: "Honeywell"}, // makes some of what it sells
		{name: "LTS", fault: "made by Hikvision"},
		{name: "Amcrest", fault: "made by Dahua"},
		{name: "HiLook", fault: "a label of Hikvision"},
		{name: "Norelco SafeCam", fault: "is a label"},
		{name: "Acme Cameras", fault: "no maker"},
		{name: "", fault: "needs a name"},
	} {
		got, err := rules.Maker(c.name)
		switch {
		case c.fault == "" && (err != nil || got != c.want):
			t.Errorf("%q: %q, %v", c.name, got, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: error %v, should tell of %q", c.name, err, c.fault)
		}
	}
}

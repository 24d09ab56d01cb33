package agent

import (
	"errors"
	"testing"

	"camcensus/internal/inventory"
)

func TestAFindingIsWrittenAsTheRulesWriteIt(t *testing.T) {
	j, err := NewJudge(JudgeOptions{Lists: []string{"ca-hikvision-2025", "us-ndaa-889"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		refused    bool
	}{
		{"Hikvision", "Hikvision", false},
		{" HIKVISION ", "Hikvision", false},
		{"dahua", "Dahua", false},
		{"axis", "Axis", false},
		{"Hangzhou Hikvision Digital Technology Co., Ltd.", "Hikvision", false},
		{"Some Small Maker", "", true},
		{"LTS", "", true},
		{"HiLook", "", true},
		{"Hikvison", "", true},
		{"Hikivision", "", true},
		{"Dahhua", "", true},
	} {
		got, err := j.Finding(c.name)
		if got != c.want || c.refused != errors.Is(err, inventory.ErrInvalid) {
			t.Errorf("%q: %q, %v; want %q, refused %v", c.name, got, err, c.want, c.refused)
		}
	}
}

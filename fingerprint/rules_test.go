package fingerprint

import "testing"

func TestShippedRulesHoldTheirExamples(t *testing.T) {
	for _, err := range Check() {
		t.Error(err)
	}
}

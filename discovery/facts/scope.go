package facts

import (
	"net/url"
	"strings"
)

// ScopePrefix begins every scope of ONVIF's (ONVIF Core section 7.3.2.2).
const ScopePrefix = "onvif://www.onvif.org/"

// ScopeMAC is the field of a scope that tells the device's MAC address.
const ScopeMAC = "scope.mac"

// scopeFields are the categories of ONVIF Core section 7.3.2.2, and those that
// devices add.
var scopeFields = map[string]string{
	"name":         "scope.name",
	"hardware":     "scope.hardware",
	"model":        "scope.hardware",
	"location":     "scope.location",
	"manufacturer": "scope.manufacturer",
	"mfr":          "scope.manufacturer",
	"mac":          ScopeMAC,
	"macaddress":   ScopeMAC,
	"macaddr":      ScopeMAC,
	"serial":       "scope.serial",
	"serialnumber": "scope.serial",
	"profile":      "scope.profile",
	"type":         "scope.type",
	"extension":    "scope.extension",
}

// IsScope tells whether text is a scope of ONVIF's, in letters of any case.
func IsScope(text string) bool {
	return len(text) > len(ScopePrefix) && strings.EqualFold(text[:len(ScopePrefix)], ScopePrefix)
}

// Scope takes onvif://www.onvif.org/CATEGORY/VALUE apart: the field that its
// category names, and its value without percent escapes; what is badly escaped
// stays as it is. A category that nobody knows, and a MAC that is none, is not ok.
func Scope(scope string) (field, value string, ok bool) {
	if !IsScope(scope) {
		return "", "", false
	}
	category, value, _ := strings.Cut(scope[len(ScopePrefix):], "/")
	if plain, err := url.PathUnescape(value); err == nil {
		value = plain
	}
	value = strings.TrimSuffix(value, "/")
	if kind, maker, nested := strings.Cut(value, "/"); nested && maker != "" && strings.EqualFold(category, "type") && strings.EqualFold(kind, "manufacturer") {
		category, value = kind, maker // Foscam's firmware puts the one category into the other
	}
	field = scopeFields[strings.ToLower(category)]
	if field == ScopeMAC {
		value, ok = MAC(value)
		return field, value, ok
	}
	return field, value, field != "" && value != ""
}

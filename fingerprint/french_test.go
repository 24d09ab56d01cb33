package fingerprint

import (
	"strings"
	"testing"
)

// Every field and protocol that has English words has French ones, so that no
// report mixes the two.
func TestWhatIsSaidInEnglishIsSaidInFrench(t *testing.T) {
	for kind := range kindWords {
		if kindsInFrench[kind] == "" {
			t.Errorf("no French for the protocol %s", kind)
		}
	}
	for field := range plainFields {
		if plainInFrench[field] == "" {
			t.Errorf("no French for the field %s", field)
		}
	}
	for field := range fieldWords {
		kind, name, _ := strings.Cut(field, ".")
		if said := fieldInFrench(kind, name); strings.Contains(said, "le champ") {
			t.Errorf("no French for %s: %s", field, said)
		}
	}
}

func TestReasonsInFrench(t *testing.T) {
	for want, r := range map[string]Reason{
		"Vu\u00a0: le nom de son serveur Web, «\u00a0App-webs/\u00a0». C’est ainsi que répond le micrologiciel de Hikvision (indice fort).": {Source: "https",
			Field: "server", Value: "App-webs/", Supports: "Hikvision", Group: GroupFirmware, Grade: Strong},
		"Son adresse matérielle 00:40:8c:01:02:03 est dans un bloc enregistré au nom d’Axis. À elle seule, l’adresse ne dit pas qui a fabriqué cet appareil.": {Source: "arp",
			Field: "mac", Value: "00:40:8c:01:02:03", Supports: "Axis", Group: GroupAddress, Grade: Medium},
		"Vu\u00a0: le modèle dans sa réponse DHIP, «\u00a0DH-XVR\u00a0». Cela désigne un enregistreur.": {Source: "dhip", Field: "model", Value: "DH-XVR",
			Supports: "recorder", Group: GroupModel, Grade: Strong},
		"Vu\u00a0: sa page Web. C’est ainsi que répond le micrologiciel d’Axis (indice moyen).": {Source: "http", Field: "body", Value: "...",
			Supports: "Axis", Group: GroupFirmware, Grade: Medium},
		"Vu\u00a0: le nom qu’il annonce, «\u00a0Axis\u00a0». N’importe qui peut saisir ce texte\u00a0: ce n’est qu’une indication, pour Axis.": {Source: "wsd",
			Field: "scope.name", Value: "Axis", Supports: "Axis", Group: GroupTyped, Grade: Weak},
	} {
		if got := r.In("fr"); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	r := Reason{Text: "English."}
	if r.In("en") != "English." {
		t.Error(r.In("en"))
	}
}

// The contradictions are taken as Identify words them.
func TestContradictionsInFrench(t *testing.T) {
	s := &state{answers: []answer{{source: "http", port: 80, path: "/doc"}}}
	for english, want := range map[string]string{
		"The signs speak for two makers, Dahua and Axis.": "Les indices parlent pour deux fabricants, Dahua et Axis.",
		"The " + s.answerText(0) + " names both Dahua and Axis; it counts for neither.": "Une même réponse (la réponse de son serveur Web au port 80 à /doc) " +
			"nomme à la fois Dahua et Axis; elle ne compte pour aucun des deux.",
		"The " + s.answerText(0) + " gives two values for " + fieldText("http", "server") + " (" + quote("a") + ", " + quote("b") +
			"): it speaks for two devices or is forged, and counts for no maker.": "Une même réponse (la réponse de son serveur Web au port 80 à /doc) " +
			"donne deux valeurs («\u00a0a\u00a0», «\u00a0b\u00a0»)\u00a0: elle parle pour deux appareils ou est forgée, et ne compte pour aucun fabricant.",
	} {
		if got := Contradiction(english, "fr"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", english, got, want)
		}
		if Contradiction(english, "en") != english {
			t.Error("English must stay")
		}
	}
}

// TestARegistrantsOwnStopsAreNotDoubled: the registry has a "TSI, Inc..".
func TestARegistrantsOwnStopsAreNotDoubled(t *testing.T) {
	s := &state{set: &Ruleset{makers: []*maker{{name: "TSI", makes: "cameras"}}}, ev: []Evidence{{Source: "arp", Field: "mac", Value: "00:00:5e:00:53:01"}}}
	if r := s.addressReason(addressSign{registrant: "TSI, Inc.."}, medium); r.Text != "Its hardware address 00:00:5e:00:53:01 is in a block registered to TSI, Inc." {
		t.Error(r.Text)
	}
}

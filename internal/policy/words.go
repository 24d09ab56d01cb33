package policy

import (
	"strings"

	"camcensus/fingerprint"
)

// maxSeen is how many signs a verdict's text tells.
const maxSeen = 3

// Text words a verdict: what was seen, what it means under the policy, and
// what would settle it. lang is en or fr.
func (p *Policy) Text(v Verdict, id fingerprint.Identity, finding, lang string) string {
	w := &english
	if strings.HasPrefix(lang, "fr") {
		w = &french
	}
	c, _, reached := p.reached(id)
	maker, group := id.Manufacturer, c.Of
	if reached {
		maker = c.Maker
	}
	parts := make([]string, 0, 12)
	if finding != "" {
		parts = append(parts, strings.ReplaceAll(w.determined, "{maker}", finding))
		maker = finding
	} else {
		parts = appendSeen(parts, id.Reasons, maker, group, w.lang)
	}
	if group == "" {
		group = w.namedGroup
	}
	fill := blanks{"{maker}", maker, "{brand}", id.Brand, "{group}", group, "{class}", w.class[id.Class]}
	switch v.Verdict {
	case Banned, SuspectedV:
		made := finding != "" || c.Standing == fingerprint.Established
		parts = append(parts, fill.Replace(w.made(v, made)), p.Says.In(lang), w.measure[v.Measure])
		if p.Acquired != nil && v.Measure == p.Acquired.Undated.Measure && v.Basis != "" {
			parts = append(parts, strings.ReplaceAll(w.acquired, "{date}", p.Acquired.After))
		}
		switch {
		case finding != "":
		case made && v.Basis == "named":
			parts = append(parts, w.confirm)
		default:
			parts = append(parts, w.settle)
		}
	case Clear:
		parts = append(parts, fill.Replace(w.clear))
	case OutOfScope:
		parts = append(parts, fill.Replace(w.outOfScope))
		if _, named := p.named(id.Manufacturer); reached || named {
			parts = append(parts, fill.Replace(w.listedElsewhere))
		}
	case Unknown:
		parts = append(parts, w.unknown)
		if id.Manufacturer != "" {
			parts = append(parts, fill.Replace(w.pointed))
		}
		parts = append(parts, w.settle)
	default:
		parts = append(parts, w.unclassified)
	}
	if len(id.Contradictions) > 0 {
		parts = append(parts, w.contradiction)
	}
	if v.Flagged() {
		parts = append(parts, p.Instruction.In(lang))
	}
	return strings.Join(slicesWithout(parts, ""), " ")
}

// blanks are the places of a sentence to fill and what goes there, in turn.
type blanks [8]string

// Replace fills a sentence's blanks. What is filled in are names from the
// rules, which hold no blanks; one that ends with a stop ("Co., Ltd.") lends
// it to the sentence that it ends.
func (b *blanks) Replace(text string) string {
	for i := 0; i < len(b) && strings.Contains(text, "{"); i += 2 {
		if strings.HasSuffix(b[i+1], ".") {
			text = strings.ReplaceAll(text, b[i]+".", b[i])
		}
		text = strings.ReplaceAll(text, b[i], b[i+1])
	}
	return text
}

func slicesWithout(parts []string, empty string) []string {
	out := parts[:0]
	for _, part := range parts {
		if part != empty {
			out = append(out, part)
		}
	}
	return out
}

// appendSeen tells the best signs that speak for the maker in question, one of
// each group first: three signs of one kind convince less than one of each.
func appendSeen(parts []string, reasons []fingerprint.Reason, maker, group, lang string) []string {
	var chosen [maxSeen]int
	n := 0
	for _, again := range [...]bool{false, true} {
		for i := range reasons {
			r := &reasons[i]
			if n == maxSeen {
				break
			}
			if maker != "" && r.Supports != maker && r.Supports != group {
				continue
			}
			if told, group := told(reasons, chosen[:n], i); !told && group == again {
				chosen[n], n = i, n+1
			}
		}
	}
	for _, i := range chosen[:n] {
		parts = append(parts, reasons[i].In(lang))
	}
	return parts
}

// told tells whether reason i is among the chosen, and whether one of its
// group is.
func told(reasons []fingerprint.Reason, chosen []int, i int) (itself, group bool) {
	for _, c := range chosen {
		itself = itself || c == i
		group = group || reasons[c].Group == reasons[i].Group
	}
	return itself, group
}

// words are the sentences of one language.
type words struct {
	lang            string
	determined      string
	banned          map[string]string // by basis
	suspected       map[string]string
	measure         map[string]string
	acquired        string
	settle          string
	confirm         string // what would confirm a maker that is established
	pointed         string // signs point to a maker, and do not establish it
	clear           string
	outOfScope      string
	listedElsewhere string
	unknown         string
	unclassified    string
	contradiction   string
	namedGroup      string
	class           map[fingerprint.Class]string
}

func (w *words) made(v Verdict, determined bool) string {
	if v.Verdict == Banned || determined {
		return w.banned[v.Basis]
	}
	return w.suspected[v.Basis]
}

var english = words{
	lang:       "en",
	determined: "A person determined that {maker} made this device.",
	banned: map[string]string{
		"named":            "Made by {maker}.",
		"relabel":          "Sold as {brand}, made by {maker}.",
		"affiliate":        "Made by {maker}, a firm of the {group} group.",
		"former_affiliate": "Made by {maker}, which belonged to the {group} group.",
	},
	suspected: map[string]string{
		"named":            "The signs point to {maker}.",
		"relabel":          "Sold as {brand}; the signs point to {maker} as its maker.",
		"affiliate":        "The signs point to {maker}, a firm of the {group} group.",
		"former_affiliate": "The signs point to {maker}, which belonged to the {group} group.",
	},
	measure: map[string]string{
		"prohibited": "",
		"assess":     "The instrument asks for a risk assessment and controls.",
		"ask":        "Whether the instrument reaches this device is a question for the department: ask before it is acted on.",
		"no_use_ban": "Being on that list does not forbid using equipment that was already bought.",
	},
	acquired:        "The rule holds for equipment acquired after {date}; write the day of purchase down for this device.",
	confirm:         "The label on the device or the purchase document would confirm it.",
	pointed:         "The signs point to {maker}, but not firmly enough to clear the device.",
	settle:          "The label on the device, the purchase document, or the seller's answer in writing would settle who made it.",
	clear:           "{maker} made this device: it is clear of the makers that the instrument names. Who made its components was not assessed.",
	outOfScope:      "This is other equipment ({class}) than the instrument reaches.",
	listedElsewhere: "Its maker, {maker}, is named by the instrument all the same.",
	unknown:         "It is a camera or may be one, and who made it is not established.",
	unclassified:    "Nothing suggests that this is a camera, and nothing tells what it is.",
	contradiction:   "Some signs contradict each other; they are listed with the device.",
	namedGroup:      "named maker's",
	class: map[fingerprint.Class]string{
		fingerprint.ClassNetwork: "network equipment", fingerprint.ClassOther: "neither camera nor recorder",
		fingerprint.ClassCamera: "camera", fingerprint.ClassRecorder: "recorder", fingerprint.ClassDoorbell: "doorbell",
		fingerprint.ClassIntercom: "intercom", fingerprint.ClassAccessControl: "access control", fingerprint.ClassEncoder: "encoder",
	},
}

var french = words{
	lang:       "fr",
	determined: "{maker} a fabriqué cet appareil, selon le constat d’une personne.",
	banned: map[string]string{
		"named":            "Fabriqué par {maker}.",
		"relabel":          "Vendu sous la marque {brand}, fabriqué par {maker}.",
		"affiliate":        "Fabriqué par {maker}, une entreprise du groupe {group}.",
		"former_affiliate": "Fabriqué par {maker}, qui a appartenu au groupe {group}.",
	},
	suspected: map[string]string{
		"named":            "Les indices désignent {maker}.",
		"relabel":          "Vendu sous la marque {brand}; les indices désignent {maker} comme fabricant.",
		"affiliate":        "Les indices désignent {maker}, une entreprise du groupe {group}.",
		"former_affiliate": "Les indices désignent {maker}, qui a appartenu au groupe {group}.",
	},
	measure: map[string]string{
		"prohibited": "",
		"assess":     "L’instrument demande une évaluation des risques et des mesures de contrôle.",
		"ask":        "Il revient au ministère de dire si l’instrument vise cet appareil\u00a0: le lui demander avant d’agir.",
		"no_use_ban": "Figurer sur cette liste n’interdit pas d’utiliser l’équipement déjà acheté.",
	},
	acquired:        "La règle vise l’équipement acquis après le {date}; la date d’achat de cet appareil est à inscrire.",
	confirm:         "L’étiquette de l’appareil ou le document d’achat le confirmerait.",
	pointed:         "Les indices désignent {maker}, mais pas assez sûrement pour mettre l’appareil hors de cause.",
	settle:          "L’étiquette de l’appareil, le document d’achat ou une réponse écrite du vendeur trancherait.",
	clear:           "{maker} a fabriqué cet appareil\u00a0: il n’est pas d’un fabricant que l’instrument nomme. L’origine des composants n’a pas été évaluée.",
	outOfScope:      "C’est un autre équipement ({class}) que celui que l’instrument vise.",
	listedElsewhere: "Son fabricant, {maker}, est pourtant nommé par l’instrument.",
	unknown:         "C’est une caméra, ou cela peut en être une, et son fabricant n’est pas établi.",
	unclassified:    "Rien n’indique une caméra, et rien ne dit ce que c’est.",
	contradiction:   "Certains indices se contredisent; ils sont énumérés avec l’appareil.",
	namedGroup:      "nommé",
	class: map[fingerprint.Class]string{
		fingerprint.ClassNetwork: "équipement de réseau", fingerprint.ClassOther: "ni caméra ni enregistreur",
		fingerprint.ClassCamera: "caméra", fingerprint.ClassRecorder: "enregistreur", fingerprint.ClassDoorbell: "sonnette",
		fingerprint.ClassIntercom: "interphone", fingerprint.ClassAccessControl: "contrôle d’accès", fingerprint.ClassEncoder: "encodeur",
	},
}

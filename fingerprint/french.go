package fingerprint

import (
	"regexp"
	"strings"
)

// In says a reason in a language, en or fr: what was seen, then what it means.
// The sentences of the rules are English; French says what the sign is, how
// firm it is and for whom it speaks.
func (r *Reason) In(lang string) string {
	if lang != "fr" {
		if r.Text == "" { // of a reason that no rule of this release gave
			return seenText(r.Source, r.Field, r.Value) + "It speaks for " + r.Supports + "."
		}
		return r.Text
	}
	if r.Group == GroupAddress {
		text := "Son adresse matérielle " + r.Value + " est dans un bloc enregistré au nom " + ofInFrench(r.Supports) + "."
		if r.Grade != Strong {
			text += " À elle seule, l’adresse ne dit pas qui a fabriqué cet appareil."
		}
		return text
	}
	seen := "Vu\u00a0: " + fieldInFrench(r.Source, r.Field)
	if r.Field != "body" && r.Value != "" {
		seen += ", «\u00a0" + r.Value + "\u00a0»"
	}
	return seen + ". " + r.meansInFrench()
}

func (r *Reason) meansInFrench() string {
	if class := classInFrench[Class(r.Supports)]; class != "" {
		return "Cela désigne " + class + "."
	}
	if r.Group == GroupTyped {
		return "N’importe qui peut saisir ce texte\u00a0: ce n’est qu’une indication, pour " + r.Supports + "."
	}
	return signInFrench[r.Group] + " " + ofInFrench(r.Supports) + gradeInFrench[r.Grade] + "."
}

// ofInFrench is "de" before a name.
func ofInFrench(name string) string {
	if name != "" && strings.ContainsRune("AEIOUÉaeioué", []rune(name)[0]) {
		return "d’" + name
	}
	return "de " + name
}

var classInFrench = map[Class]string{
	ClassCamera: "une caméra", ClassRecorder: "un enregistreur", ClassDoorbell: "une sonnette", ClassIntercom: "un interphone",
	ClassAccessControl: "un contrôle d’accès", ClassEncoder: "un encodeur", ClassNetwork: "un équipement de réseau",
	ClassOther: "un autre équipement", ClassUnknown: "un appareil inconnu",
}

var signInFrench = map[Group]string{
	GroupNative:      "Ce protocole est celui",
	GroupFirmware:    "C’est ainsi que répond le micrologiciel",
	GroupCertificate: "Ce certificat est de ceux",
	GroupModel:       "Ce modèle est de ceux",
}

var gradeInFrench = map[Grade]string{
	Strong: " (indice fort)", Medium: " (indice moyen)", Weak: " (indice faible)",
}

var fieldsInFrench = map[string]string{
	"http.server":              "le nom de son serveur Web",
	"http.realm":               "le nom de sa zone de connexion",
	"http.title":               "le titre de sa page Web",
	"http.body":                "sa page Web",
	"http.location":            "la page où il envoie les navigateurs",
	"http.generator":           "l’auteur de sa page Web",
	"rtsp.server":              "le nom de son serveur vidéo",
	"rtsp.realm":               "la zone de connexion de son serveur vidéo",
	"rtsp.sdp.session":         "le nom de sa session vidéo",
	"rtsp.public":              "les commandes que prend son serveur vidéo",
	"rtsp.status":              "une réponse de son serveur vidéo avec l’état",
	"tls.subject":              "le titulaire nommé dans son certificat",
	"tls.subject.o":            "l’entreprise nommée dans son certificat",
	"tls.subject.cn":           "le nom dans son certificat",
	"tls.issuer":               "l’émetteur de son certificat",
	"tls.issuer.o":             "l’entreprise qui a émis son certificat",
	"wsd.scope":                "ce qu’il annonce de lui-même",
	"wsd.scope.name":           "le nom qu’il annonce",
	"wsd.scope.hardware":       "le modèle qu’il annonce",
	"wsd.scope.extension":      "un ajout à ce qu’il annonce",
	"wsd.scope.serial":         "le numéro de série qu’il annonce",
	"wsd.scope.mac":            "l’adresse matérielle qu’il annonce",
	"wsd.scope.manufacturer":   "le fabricant qu’il annonce",
	"wsd.scope.type":           "le genre d’appareil qu’il annonce",
	"wsd.type":                 "le genre d’appareil qu’il annonce",
	"wsd.namespace":            "le dialecte de son annonce",
	"wsd.epr":                  "l’identifiant qu’il annonce",
	"sadp.types":               "sa réponse SADP",
	"dhip.method":              "sa réponse DHIP",
	"dhip.vendor":              "la marque dans sa réponse DHIP",
	"dhip.manufacturer":        "la marque dans sa réponse DHIP",
	"sadp.channels.digital":    "le nombre de caméras réseau qu’il enregistre",
	"onvif.manufacturer":       "le fabricant que donne son service ONVIF",
	"onvif.model":              "le modèle que donne son service ONVIF",
	"onvif.serial":             "le numéro de série que donne son service ONVIF",
	"onvif.namespace":          "le dialecte de son service ONVIF",
	"isapi.model":              "le modèle que donne son service ISAPI",
	"isapi.serial":             "le numéro de série que donne son service ISAPI",
	"isapi.manufacturer":       "le fabricant que donne son service ISAPI",
	"isapi.device_type":        "le genre d’appareil que donne son service ISAPI",
	"isapi.namespace":          "le dialecte de son service ISAPI",
	"isapi.root":               "sa réponse ISAPI",
	"mdns.service":             "le service qu’il offre sur le réseau local",
	"mdns.instance":            "le nom du service qu’il offre",
	"dhcp.vendor_class":        "le nom qu’il se donne en demandant une adresse",
	"dhcp.hostname":            "le nom d’hôte qu’il demande",
	"favicon.mmh3":             "l’empreinte de l’icône de sa page Web",
	"favicon.md5":              "l’empreinte de l’icône de sa page Web",
	"ssdp.server":              "le nom qu’il se donne en UPnP",
	"snmp.sysdescr":            "sa description pour la gestion du réseau",
	"dvrip.type":               "sa réponse dans l’ancien protocole de recherche de Dahua",
	"http.refresh":             "la page où il envoie les navigateurs",
	"http.meta.author":         "l’auteur nommé dans sa page Web",
	"http.meta.copyright":      "la mention de droits de sa page Web",
	"http.meta.description":    "la description dans sa page Web",
	"http.header.set-cookie":   "le témoin que pose son serveur Web",
	"http.cgi":                 "une réponse de son interface de programmation",
	"http.json.realm":          "la zone de connexion dans la réponse de son serveur Web",
	"http.header.etag":         "la marque que son serveur Web met sur une page",
	"http.json.brand":          "la marque que donne son serveur Web",
	"http.json.prodnbr":        "le modèle que donne son serveur Web",
	"isapi.device_description": "le genre d’appareil que donne son service ISAPI",
	"tls.issuer.cn":            "l’émetteur de son certificat",
	"tls.subject.ou":           "le service nommé dans son certificat",
	"upnp.model_description":   "le genre d’appareil dans sa description UPnP",
	"mdns.txt.ci":              "le genre d’appareil qu’il annonce à HomeKit",
	"mdns.txt.md":              "le modèle dans un service qu’il offre",
	"mdns.txt.model":           "le modèle dans un service qu’il offre",
	"mdns.txt.am":              "le modèle dans un service qu’il offre",
	"mdns.txt.ty":              "le modèle dans un service qu’il offre",
	"mdns.txt.usb_mfg":         "le fabricant dans un service qu’il offre",
	"mdns.txt.vendor":          "le fabricant dans un service qu’il offre",
	"mdns.txt.macaddress":      "l’adresse matérielle dans un service qu’il offre",
	"dhip.channels.remote":     "le nombre de caméras dans sa réponse DHIP",
	"sadp.channels.analog":     "le nombre de caméras coaxiales dans sa réponse SADP",
	"onvif.path.device":        "l’adresse de son service ONVIF",
	"onvif.path.media":         "l’adresse de son service vidéo ONVIF",
	"rtsp.header.content-base": "l’adresse de sa vidéo",
	"rtsp.sdp.info":            "la description de sa vidéo",
	"rtsp.sdp.tool":            "le programme qui décrit sa vidéo",
	"rtsp.sdp.attribute":       "un détail de la description de sa vidéo",
	"rtsp.date.padding":        "la forme de la date qu’écrit son serveur vidéo",
	"wsd.xaddr":                "l’adresse de son service dans son annonce",
	"wsd.scope.location":       "le lieu qu’il annonce",
	"ubiquiti.product":         "le produit dans sa réponse au protocole de recherche d’Ubiquiti",
}

var kindsInFrench = map[string]string{
	"http": "la réponse de son serveur Web", "https": "la réponse de son serveur Web", "rtsp": "la réponse de son serveur vidéo",
	"tls": "son certificat", "wsd": "son annonce", "onvif": "sa réponse ONVIF", "isapi": "sa réponse ISAPI",
	"upnp": "sa description UPnP", "ssdp": "son annonce UPnP", "mdns": "un service qu’il offre",
	"dhcp": "sa demande d’adresse", "sadp": "sa réponse SADP", "dhip": "sa réponse DHIP", "favicon": "l’icône de sa page Web",
	"dvrip": "sa réponse dans l’ancien protocole de recherche de Dahua", "xmeye": "sa réponse dans le protocole de recherche de XMeye",
	"hanwha": "sa réponse dans le protocole de recherche de Hanwha", "bosch": "sa réponse dans le protocole de recherche de Bosch",
	"sony": "sa réponse dans le protocole de recherche de Sony", "panasonic": "sa réponse dans le protocole de recherche de Panasonic",
	"vivotek": "sa réponse dans le protocole de recherche de Vivotek", "foscam": "sa réponse dans le protocole de recherche de Foscam",
	"ubiquiti": "sa réponse dans le protocole de recherche d’Ubiquiti", "tplink": "sa réponse dans le protocole de recherche de TP-Link",
	"tvt": "sa réponse dans le protocole de recherche de TVT", "vstarcam": "sa réponse dans le protocole de recherche de VStarcam",
	"cgi":  "la réponse de son interface de programmation",
	"snmp": "sa réponse à la gestion du réseau",
}

var plainInFrench = map[string]string{
	"mac": "l’adresse matérielle", "model": "le modèle", "model_number": "le numéro de modèle", "serial": "le numéro de série",
	"firmware": "la version du micrologiciel", "manufacturer": "le nom du fabricant", "vendor": "le nom du vendeur",
	"brand": "la marque", "name": "le nom", "class": "le genre d’appareil", "type": "le genre de réponse",
	"types": "le genre de réponse", "devicetype": "le code du produit", "device_type": "le genre d’appareil",
	"hardware_id": "le numéro du matériel", "status": "la ligne d’état", "auth": "la façon de se connecter",
	"generator": "l’auteur de la page", "public": "les commandes acceptées", "date": "la date",
	"namespace": "le dialecte", "root": "le genre de réponse", "path": "l’adresse d’un service", "header": "la ligne",
	"sdp": "la description de sa vidéo", "scope": "un ajout", "txt": "un ajout", "service": "le service",
	"instance": "le nom d’un service", "host": "le nom d’hôte", "usn": "l’identifiant", "st": "le genre de service",
	"nt": "le genre de service", "location": "l’adresse de sa description", "udn": "l’identifiant",
	"epr": "l’identifiant", "subject": "le titulaire", "issuer": "l’émetteur", "san": "un nom", "sha256": "l’empreinte",
	"oemcode": "le code du client", "oem_code": "le code du client", "oeminfo": "le nom du client",
	"activated": "l’état de sa mise en service", "system_contact": "la personne à joindre", "channels": "le nombre de caméras",
	"port": "un port", "friendly_name": "le nom", "manufacturer_url": "l’adresse Web du fabricant", "model_url": "l’adresse Web du modèle",
	"vendor_class": "le genre d’appareil", "hostname": "le nom d’hôte", "http": "un port", "ip": "l’adresse", "realm": "la zone de connexion",
	"server": "le nom du serveur", "json": "l’entrée", "cgi": "la ligne", "title": "le titre", "body": "le texte",
}

// fieldInFrench is fieldText in French.
func fieldInFrench(source, field string) string {
	kind, field := Spoken(source, field)
	if kind == "dhip" && source != kind {
		kind = "cgi"
	}
	if words := fieldsInFrench[aliasKind(kind)+"."+field]; words != "" {
		return words
	}
	words := plainInFrench[field]
	if words == "" {
		head, tail, _ := strings.Cut(field, ".")
		if words = plainInFrench[head]; words != "" {
			words += " «\u00a0" + tail + "\u00a0»"
		} else {
			words = "le champ «\u00a0" + field + "\u00a0»"
		}
	}
	if kind := kindsInFrench[kind]; kind != "" {
		return words + " dans " + kind
	}
	return words + " dans sa réponse au protocole «\u00a0" + kind + "\u00a0»"
}

// The sentences of a contradiction, as adding.go words them.
var contradictions = []struct {
	english *regexp.Regexp
	french  string
}{
	{regexp.MustCompile(`^The signs speak for two makers, (.+) and (.+)\.$`), "Les indices parlent pour deux fabricants, $1 et $2."},
	{regexp.MustCompile(`^The (.+) names both (.+) and (.+); it counts for neither\.$`), "Une même réponse ($1) nomme à la fois $2 et $3; elle ne compte pour aucun des deux."},
	{regexp.MustCompile(`(?s)^The (.+) gives two values for .+ \(“(.*)”, “(.*)”\): it speaks for two devices or is forged, and counts for no maker\.$`),
		"Une même réponse ($1) donne deux valeurs («\u00a0$2\u00a0», «\u00a0$3\u00a0»)\u00a0: elle parle pour deux appareils ou est forgée, et ne compte pour aucun fabricant."},
}

// Contradiction says one of an identity's contradictions in a language.
func Contradiction(text, lang string) string {
	if lang != "fr" {
		return text
	}
	for _, c := range contradictions {
		if m := c.english.FindStringSubmatchIndex(text); m != nil {
			said := string(c.english.ExpandString(nil, c.french, text, m))
			answer := text[m[2]:m[3]]
			return strings.Replace(said, "("+answer+")", "("+answerInFrench(answer)+")", 1)
		}
	}
	return text
}

// answerInFrench turns what answerText says.
func answerInFrench(answer string) string {
	for kind, words := range kindWords {
		if rest, ok := strings.CutPrefix(answer, strings.TrimPrefix(words, "its ")); ok {
			rest = strings.Replace(rest, " on port ", " au port ", 1)
			return kindsInFrench[kind] + strings.Replace(rest, " to /", " à /", 1)
		}
	}
	return answer
}

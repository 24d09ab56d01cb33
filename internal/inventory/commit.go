package inventory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"camcensus/discovery"
	"camcensus/fingerprint"
	"camcensus/internal/policy"
)

// Commit keeps what the evidence of a device was found to mean.
func (i *Inventory) Commit(id string, identity fingerprint.Identity, verdicts []policy.Verdict, now time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.find(id); e != nil && !i.readOnly {
		i.commit(e, &identity, verdicts, now)
	}
}

func (i *Inventory) commit(e *entry, id *fingerprint.Identity, verdicts []policy.Verdict, now time.Time) {
	old, oldVerdicts := e.claims, e.verdicts
	c := i.coldOf(e)
	if c != nil && e.cold == nil {
		return // it could not be read now: that says nothing
	}
	lost := c != nil && c.lost
	if lost && e.settledBy(id, verdicts) {
		c.lost, lost = false, false
		i.keepCold(e, c)
	}
	if lost || i.bereft(e, id) {
		determined := e.people != nil && e.people.determination != nil
		if !determined {
			verdicts = e.standing(verdicts)
		}
		if determined || lost {
			i.keepReasons(e, id, textsOf(verdicts))
		}
		i.judged(e, verdicts)
		i.verdictEvents(e, oldVerdicts, now, "")
		return
	}
	i.claim(e, id)
	i.judged(e, verdicts)
	i.track(e, now)
	basis := evidenceLine(id.Reasons, i.keepsNames(e))
	if old.what() != e.claims.what() {
		i.tell(e, Event{Time: now, Event: "identified", From: old.what(), To: e.claims.what(), Evidence: basis})
		if e.tracked && basis != "" {
			basis = "as event " + strconv.FormatInt(i.chain.seq, 10)
		}
	}
	i.verdictEvents(e, oldVerdicts, now, basis)
	i.keepReasons(e, id, textsOf(verdicts))
	if e.claims.manufacturer != "" && e.serial != "" {
		i.joinBySerial(e, now)
	}
}

// bereft tells whether all evidence of a known device was lost, with a damaged
// file: judging it by nothing says nothing.
func (i *Inventory) bereft(e *entry, id *fingerprint.Identity) bool {
	return id.Class == fingerprint.ClassUnknown && e.claims.class != fingerprint.ClassUnknown && len(id.Reasons) == 0 && len(i.counting(e)) == 0
}

// settledBy tells whether a judgement counts for a device whose evidence was
// lost: it contradicts what is known by more than a hardware address or a name
// that somebody typed, or tells no less.
func (e *entry) settledBy(id *fingerprint.Identity, verdicts []policy.Verdict) bool {
	had := e.claims
	answered, named := false, false
	for _, r := range id.Reasons {
		if r.Group != fingerprint.GroupAddress && r.Group != fingerprint.GroupTyped {
			answered = true
			named = named || r.Supports == id.Manufacturer || r.Supports == id.Brand
		}
	}
	class := cmp.Or(id.Class, fingerprint.ClassUnknown)
	known := had.class != fingerprint.ClassUnknown
	another := named && id.Manufacturer != "" && id.Manufacturer != had.manufacturer && id.Manufacturer != had.brand
	if another || answered && known && class != fingerprint.ClassUnknown && cameraLike(class) != cameraLike(had.class) {
		return true
	}
	for _, fact := range [][2]string{
		{had.manufacturer, id.Manufacturer}, {had.brand, id.Brand}, {had.model, id.Model}, {had.firmware, id.Firmware}, {e.serial, id.Serial},
	} {
		if fact[0] != "" && fact[1] == "" {
			return false
		}
	}
	if known && class == fingerprint.ClassUnknown || had.manufacturer != id.Manufacturer && !answered {
		return false
	}
	return !slices.ContainsFunc(e.verdicts, func(v policy.Verdict) bool {
		return slices.ContainsFunc(verdicts, func(now policy.Verdict) bool {
			return now.Policy == v.Policy && weight[now.Verdict] < weight[v.Verdict]
		})
	})
}

// weight is how much a verdict says.
var weight = map[string]int{policy.Unclassified: 0, policy.Unknown: 1, policy.SuspectedV: 2, policy.OutOfScope: 3, policy.Clear: 3, policy.Banned: 3}

// standing are the verdicts of a device of which nothing can be read any more:
// those it had, since a verdict never falls by silence. Under a list that is new
// a camera is unknown.
func (e *entry) standing(fresh []policy.Verdict) []policy.Verdict {
	out := slices.Clone(fresh)
	for n := range out {
		if had := slices.IndexFunc(e.verdicts, func(v policy.Verdict) bool { return v.Policy == out[n].Policy }); had >= 0 {
			out[n] = e.verdicts[had]
			out[n].Text = "The evidence of this finding was lost from the inventory's file. The finding stands until new evidence contradicts it."
		} else if cameraLike(e.claims.class) {
			out[n].Verdict = policy.Unknown
		}
	}
	return out
}

// claim puts the identity's claims in place.
func (i *Inventory) claim(e *entry, id *fingerprint.Identity) {
	c := claims{
		manufacturer: i.intern(id.Manufacturer), brand: i.intern(id.Brand), model: i.intern(clip(id.Model, 96)),
		firmware: i.intern(clip(id.Firmware, 96)), class: cmp.Or(id.Class, fingerprint.ClassUnknown),
		certainty: id.Certainty, channels: id.Channels, maybe: id.MaybeCamera,
	}
	changed := set(&e.serial, clip(id.Serial, 128))
	if c != *e.claims {
		part := &encoder{}
		part.claims(&c)
		a := *e.kin
		a.claims = i.sharedClaims(part.b)
		i.liken(e, a)
		changed = true
	}
	if changed {
		i.touch(e)
	}
}

// what is the identity in one line, for events.
func (c *claims) what() string {
	if c.manufacturer == "" && c.brand == "" && c.model == "" && c.class == fingerprint.ClassUnknown {
		return ""
	}
	parts := []string{cmp.Or(c.manufacturer, "maker unknown")}
	if c.brand != "" && c.brand != c.manufacturer {
		parts = append(parts, "sold as "+c.brand)
	}
	if c.model != "" {
		parts = append(parts, c.model)
	}
	if c.firmware != "" {
		parts = append(parts, "firmware "+c.firmware)
	}
	return strings.Join(parts, ", ") + " (" + string(c.class) + ")"
}

// cameraLike are the classes that a census of cameras keeps for ever.
func cameraLike(c fingerprint.Class) bool {
	switch c {
	case fingerprint.ClassCamera, fingerprint.ClassRecorder, fingerprint.ClassDoorbell, fingerprint.ClassIntercom,
		fingerprint.ClassAccessControl, fingerprint.ClassEncoder:
		return true
	}
	return false
}

// suggestive tells whether anything about the device suggests a camera.
func (e *entry) suggestive() bool {
	return cameraLike(e.claims.class) || slices.ContainsFunc(e.verdicts, func(v policy.Verdict) bool {
		return v.Flagged() || v.Verdict == policy.Unknown
	})
}

// track begins a device's history in the chain once something suggests a
// camera: "appeared" then tells when it was first seen.
func (i *Inventory) track(e *entry, now time.Time) {
	if e.tracked || !e.suggestive() {
		i.dropNames(e)
		return
	}
	e.tracked = true
	i.touch(e)
	where := ""
	if a := e.addresses(); len(a) > 0 {
		where = a[0]
	}
	i.tell(e, Event{
		Time: now, Event: "appeared", To: where,
		Evidence: "first seen " + at(e.first).Format(time.RFC3339),
	})
}

// keepsNames: hostnames of phones and PCs are personal data.
func (i *Inventory) keepsNames(e *entry) bool {
	switch i.opt.Hostnames {
	case "all":
		return true
	case "none":
		return false
	}
	return e.tracked || e.claims == noClaims && len(e.verdicts) == 0
}

// dropNames forgets the hostnames of what proves to be no camera.
func (i *Inventory) dropNames(e *entry) {
	if len(e.hostnames) > 0 && !i.keepsNames(e) {
		e.seldom().hostnames = nil
		i.touch(e)
	}
}

// judged puts the verdicts in place, shared between devices that have the
// same.
func (i *Inventory) judged(e *entry, verdicts []policy.Verdict) {
	fresh := make([]policy.Verdict, len(verdicts))
	for n, v := range verdicts {
		v.Excepted = false
		v.Policy, v.Verdict, v.Basis = i.intern(v.Policy), i.intern(v.Verdict), i.intern(v.Basis)
		v.Verb, v.Measure, v.Text = i.intern(v.Verb), i.intern(v.Measure), ""
		fresh[n] = v
	}
	if slices.Equal(fresh, e.verdicts) {
		return
	}
	part := &encoder{}
	part.verdicts(fresh)
	a := *e.kin
	a.verdicts = i.sharedVerdicts(part.b)
	i.liken(e, a)
	i.touch(e)
}

// verdictEvents tells each policy's change of mind.
func (i *Inventory) verdictEvents(e *entry, old []policy.Verdict, now time.Time, basis string) {
	was := map[string]policy.Verdict{}
	for _, v := range old {
		was[v.Policy] = v
	}
	basis, by := e.grounds(basis)
	told := false
	for _, v := range e.verdicts {
		before, known := was[v.Policy]
		delete(was, v.Policy)
		if before.Verdict == v.Verdict && before.Basis == v.Basis || !known && !v.Flagged() {
			continue
		}
		proof := basis
		// What first casts suspicion is often an address alone; the answers
		// that then settle it are the proof.
		if (e.tracked || by != "") && (v.Flagged() && !before.Flagged() || v.Verdict == policy.Banned && before.Verdict != policy.Banned) {
			records := i.keepRecords(e)
			proof = joinLine(firstSigns(basis, maxEventText-len("; ")-len(records)), records)
		}
		i.tell(e, Event{Time: now, Event: "verdict_changed", From: verdictLine(v.Policy, before), To: verdictLine(v.Policy, v), By: by, Evidence: proof})
		told = true
	}
	if told && by != "" {
		e.people.decided = nil
	}
	for _, v := range old {
		if _, dropped := was[v.Policy]; dropped && v.Flagged() {
			i.tell(e, Event{Time: now, Event: "verdict_changed", From: verdictLine(v.Policy, v), To: v.Policy + " not active"})
		}
	}
}

func verdictLine(name string, v policy.Verdict) string {
	if v.Verdict == "" {
		return ""
	}
	if v.Basis == "" {
		return name + " " + v.Verdict
	}
	return name + " " + v.Verdict + " (" + v.Basis + ")"
}

// textsOf takes the words off verdicts.
func textsOf(verdicts []policy.Verdict) (texts []string) {
	for _, v := range verdicts {
		if v.Text != "" {
			texts = append(texts, v.Policy, clip(v.Text, 4096))
		}
	}
	return texts
}

// wordsWithout are the verdicts' words, less those that cite what may not be
// stored.
func (c *cold) wordsWithout(skip func(*item) bool) []string {
	if skip == nil {
		return c.texts
	}
	var out []string
	for n := 0; n+1 < len(c.texts); n += 2 {
		cites := slices.ContainsFunc(c.items, func(it item) bool {
			return skip(&it) && it.Value != "" && strings.Contains(c.texts[n+1], it.Value)
		})
		if !cites {
			out = append(out, c.texts[n], c.texts[n+1])
		}
	}
	return out
}

// keepReasons stores why, and marks the evidence that bears it.
func (i *Inventory) keepReasons(e *entry, id *fingerprint.Identity, texts []string) {
	c := i.coldOf(e)
	if c == nil {
		c = &cold{}
	}
	same := slices.EqualFunc(c.reasons, id.Reasons, func(a, b fingerprint.Reason) bool {
		a.Seen, b.Seen = time.Time{}, time.Time{}
		return a == b
	}) && slices.Equal(c.contradictions, id.Contradictions) && slices.Equal(c.texts, texts)
	if same {
		return
	}
	c.reasons = slices.Clone(id.Reasons[:min(len(id.Reasons), maxItems)])
	for n := range c.reasons {
		c.reasons[n].Value = i.intern(clip(c.reasons[n].Value, maxValue))
		if mayName(c.reasons[n].Source, c.reasons[n].Field) && !i.keepsNames(e) {
			c.reasons[n].Value, c.reasons[n].Text = "", unnamed(c.reasons[n].Text)
		}
	}
	c.contradictions = slices.Clone(id.Contradictions[:min(len(id.Contradictions), 16)])
	c.texts = texts
	for n := range c.items {
		it := &c.items[n]
		it.bearing = slices.ContainsFunc(c.reasons, func(r fingerprint.Reason) bool {
			return r.Source == it.Source && r.Port == it.Port && r.Field == it.Field
		})
	}
	e.hold().shown = nil
	i.changes++
	i.keepCold(e, c)
}

// joinBySerial merges devices of one maker and serial: two interfaces of a
// recorder that were asked by different protocols. A serial that was merely heard
// at two MACs joins nobody, see believes.
func (i *Inventory) joinBySerial(e *entry, now time.Time) {
	serial := normalSerial(e.serial)
	if serial == "" || e.unsteady {
		return
	}
	k := makeKey(keyMaker, strings.ToLower(e.claims.manufacturer), serial)
	other := i.keys[k]
	switch {
	case i.shared[keyName(k)] || other == e:
	case other == nil:
		i.addKey(e, k)
	case i.apart[pair(e.id, other.id)] || e.sibling != other.sibling && e.burnedIn() && other.burnedIn():
	case e.burnedIn() && other.burnedIn() && !i.answered(e):
	case e.burnedIn() && other.burnedIn() && !i.answered(other):
		i.dropKey(other, k)
		i.addKey(e, k)
	case len(e.macs)+len(other.macs) > maxMACsPerSerial:
		i.disown(k)
	default:
		i.merge(e, other, now, "", "same maker and serial")
	}
}

// evidenceLine is what a judgement rests on, in one line, with what may be a name
// only where names are kept.
func evidenceLine(reasons []fingerprint.Reason, names bool) string {
	var parts []string
	for n, r := range reasons {
		if n == 8 {
			break
		}
		source := r.Source
		if r.Port != 0 {
			source += ":" + strconv.Itoa(r.Port)
		}
		value := clip(r.Value, 80)
		if mayName(r.Source, r.Field) && !names {
			value = "(not kept)"
		}
		parts = append(parts, source+" "+r.Field+"="+value+" ["+r.Rule+"]")
	}
	return strings.Join(parts, "; ")
}

// firstSigns are as many signs of an evidenceLine, from the first, as limit bytes
// hold.
func firstSigns(line string, limit int) string {
	if len(line) <= limit {
		return line
	}
	if end := strings.LastIndex(line[:limit], "]; "); end >= 0 {
		return line[:end+1]
	}
	return abridged(line, limit)
}

func joinLine(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

func flagged(v []policy.Verdict) bool { return slices.ContainsFunc(v, policy.Verdict.Flagged) }

// Bounds of the records kept until it is known whether they flag a device.
const (
	maxRecent        = 4 << 20
	maxRecordsPer    = 16
	maxKeptPerDevice = 32
)

// recent holds the latest raw records, bounded, by device.
type recent struct {
	by    map[string][]discovery.Record
	order []string // ids, oldest first, one per record
	size  int
}

// keep puts a record beside those of its device; the newest of one kind, port
// and path stays.
func (r *recent) keep(id string, rec discovery.Record) {
	if rec.Kind == "" || len(rec.Raw)+len(rec.Base64) == 0 {
		return
	}
	if len(rec.Bytes()) > discovery.MaxRecordBody {
		if rec.Base64 != nil {
			rec.Base64 = rec.Base64[:discovery.MaxRecordBody]
		} else {
			rec.Raw = clip(rec.Raw, discovery.MaxRecordBody)
		}
		rec.Truncated = true
	}
	if r.by == nil {
		r.by = map[string][]discovery.Record{}
	}
	list := r.by[id]
	if n := slices.IndexFunc(list, func(o discovery.Record) bool {
		return o.Kind == rec.Kind && o.Port == rec.Port && o.Path == rec.Path
	}); n >= 0 {
		r.size += len(rec.Bytes()) - len(list[n].Bytes())
		list[n] = rec
	} else if len(list) < maxRecordsPer {
		r.by[id] = append(list, rec)
		r.order = append(r.order, id)
		r.size += len(rec.Bytes())
	}
	for r.size > maxRecent && len(r.order) > 1 {
		r.drop(r.order[0])
		r.order = r.order[1:]
	}
	if len(r.order) > 4*len(r.by)*maxRecordsPer+1024 {
		r.order = slices.DeleteFunc(r.order, func(o string) bool { return r.by[o] == nil })
	}
}

// drop forgets a device's records and returns them.
func (r *recent) drop(id string) []discovery.Record {
	list := r.by[id]
	for _, rec := range list {
		r.size -= len(rec.Bytes())
	}
	delete(r.by, id)
	return list
}

func (r *recent) rename(from, to string) {
	for _, rec := range r.drop(from) {
		r.keep(to, rec)
	}
}

// keepRecords stores the raw records at hand for good; it returns their
// digests for the event that they prove, and cites.
func (i *Inventory) keepRecords(e *entry) string {
	list := i.records.drop(e.id)
	if len(list) == 0 {
		return ""
	}
	line := "records"
	for _, rec := range list {
		text, err := json.Marshal(rec)
		if err != nil {
			continue
		}
		r := keptRecord{device: e.id, digest: recordDigest(text), text: text, record: rec}
		line += " " + rec.Kind + " sha256:" + r.digest[:citedDigits]
		i.putRecord(r)
	}
	return line
}

// citedDigits is how many digits of a record's digest an event tells.
const citedDigits = 16

// citation is the end of the evidence of an event that records prove. What a
// device sent is never last in it.
var citation = regexp.MustCompile(`(?:^|; )records((?: [^ ;]+ sha256:[0-9a-f]{16})+)$`)

// keptRecord is a raw record that made a device flagged.
type keptRecord struct {
	device string
	digest string // hex SHA-256 of text; in older stores of the answer alone
	text   []byte // the record as it is stored
	record discovery.Record
}

func recordDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// unnamed takes what was seen out of a reason's words, and leaves what it
// means: "Seen: the title of its web page, “Anna's printer”. It means this."
func unnamed(text string) string {
	before, _, quoted := strings.Cut(text, ", “")
	end := strings.LastIndex(text, "”. ")
	if !quoted || end < len(before) {
		return "What was seen is not kept, since it may name a person."
	}
	return before + " (not kept, since it may name a person). " + text[end+len("”. "):]
}

package fingerprint

// classOrder is the classes from the most telling to the least: where two
// are alike well founded, the first is taken.
var classOrder = [...]Class{
	ClassDoorbell, ClassIntercom, ClassAccessControl, ClassRecorder,
	ClassEncoder, ClassCamera, ClassNetwork, ClassOther,
}

// cameraKinds is how many of classOrder see or record.
const cameraKinds = 6

func classAt(c Class) int {
	for i, known := range classOrder {
		if known == c {
			return i
		}
	}
	return -1
}

// cameraPort tells the ports that answer on cameras and recorders and on little else: RTSP, and
// the private ports of Dahua and Xiongmai (research: ports at a glance).
func cameraPort(port int) bool {
	switch port {
	case 554, 8554, 10554, 37777, 37778, 34567:
		return true
	}
	return false
}

var classWeight = [...]int{nothing: 0, weak: 1, medium: 10, strong: 100}

// classes works out what kind of equipment the host is, and whether it may be
// a camera at all. Among the kinds that see or record the best sign decides,
// then the order of classOrder: a recorder shows its cameras' signs beside its
// own. Against those kinds, network and other equipment is weighed by all that
// speaks for each side.
func (s *state) classes(id *Identity) {
	for i := range s.fired {
		r := s.fired[i].rule
		if r.class == "" {
			continue
		}
		grade := r.grade
		if r.group == signTyped {
			grade = weak
		}
		c := classAt(r.class)
		s.class[c][r.group] = max(s.class[c][r.group], grade)
	}
	best, bestGrade, cameraScore, kindScore := -1, nothing, 0, 0
	elsewhere, elsewhereScore := -1, 0
	for c := range s.class {
		grade, score := s.classSigns(c)
		switch {
		case c >= cameraKinds:
			if score > elsewhereScore {
				elsewhere, elsewhereScore = c, score
			}
		case grade > bestGrade:
			best, bestGrade = c, grade
			fallthrough
		default:
			cameraScore, kindScore = cameraScore+score, max(kindScore, score)
		}
	}
	if elsewhereScore > kindScore {
		best = elsewhere
	}
	if best >= 0 {
		id.Class = classOrder[best]
	}
	noCamera := best == elsewhere && elsewhereScore >= classWeight[medium] && elsewhereScore > cameraScore
	s.camera = cameraScore > 0 && !noCamera
	id.MaybeCamera = !noCamera && (cameraScore > 0 || s.cameraMaker() || s.cameraPortSeen())
}

// classSigns is the best grade and the summed weight of the signs of a class.
func (s *state) classSigns(c int) (best strength, score int) {
	for _, grade := range s.class[c] {
		best = max(best, grade)
		score += classWeight[grade]
	}
	if weaks := score % classWeight[medium]; classOrder[c] == ClassCamera && weaks > 1 {
		// What every video device answers is one hint, however often it is
		// seen.
		score -= weaks - 1
	}
	return best, score
}

// presume takes a device that shows no sign of its kind for what its maker
// mainly makes. Whether the host may be a camera at all is settled before: one
// that may be is not taken for a router or a printer, and neither is one of
// which only an address speaks.
func (s *state) presume(id *Identity) {
	if id.Class != ClassUnknown {
		return
	}
	maker := id.Manufacturer
	if maker == "" && len(id.Candidates) > 0 {
		maker = id.Candidates[0].Maker
	}
	at, known := s.set.byName[maker]
	if !known || s.set.makers[at].mainly == "" {
		return
	}
	if kind := s.set.makers[at].mainly; classAt(kind) < cameraKinds || !id.MaybeCamera && s.spoke(at) {
		id.Class, id.Presumed = kind, true
	}
}

// spoke tells whether more than an address speaks for a maker.
func (s *state) spoke(maker int) bool {
	for i := range s.fired {
		if s.fired[i].rule.maker == maker {
			return true
		}
	}
	return false
}

// cameraMaker tells whether any sign, however weak, speaks for a firm that
// makes mainly cameras.
func (s *state) cameraMaker() bool {
	for i := range s.fired {
		if at := s.fired[i].rule.maker; at != none && s.set.makers[at].makes == "cameras" {
			return true
		}
	}
	for _, a := range s.address {
		if s.set.makers[a.maker].makes == "cameras" {
			return true
		}
	}
	return false
}

func (s *state) cameraPortSeen() bool {
	for i := range s.ev {
		if cameraPort(s.ev[i].Port) {
			return true
		}
	}
	return false
}

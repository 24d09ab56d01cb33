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
// a camera at all.
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
	best, bestScore, cameraScore := -1, 0, 0
	for c := range s.class {
		score := 0
		for _, grade := range s.class[c] {
			score += classWeight[grade]
		}
		if c < cameraKinds {
			cameraScore += score
		}
		if score > bestScore {
			best, bestScore = c, score
		}
	}
	if best >= 0 {
		id.Class = classOrder[best]
	}
	elsewhere := best >= cameraKinds && bestScore >= 10 && bestScore > cameraScore
	s.camera = cameraScore > 0 && !elsewhere
	id.MaybeCamera = !elsewhere && (cameraScore > 0 || s.cameraMaker() || s.cameraPortSeen())
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

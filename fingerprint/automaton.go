package fingerprint

// automaton finds, in one pass over a text, which of many lower-case ASCII
// literals it holds (Aho and Corasick, 1975), whatever the text's case. The
// alphabet is reduced to the bytes that occur in a literal, so that a table
// of thousands of rules stays small.
type automaton struct {
	class  [256]uint8 // byte -> column; 0 for bytes in no literal
	width  int
	next   []int32   // state*width + column -> state
	found  [][]int32 // state -> literals that end here
	output []bool    // state -> len(found) > 0
}

func newAutomaton(literals []string) *automaton {
	a := &automaton{width: 1}
	for _, l := range literals {
		for i := 0; i < len(l); i++ {
			if a.class[l[i]] == 0 {
				a.class[l[i]] = uint8(a.width)
				a.width++
			}
		}
	}
	for b := 'A'; b <= 'Z'; b++ {
		a.class[b] = a.class[b+'a'-'A']
	}
	a.addState()
	for id, l := range literals {
		a.insert(l, int32(id))
	}
	a.link()
	return a
}

func (a *automaton) addState() int32 {
	for range a.width {
		a.next = append(a.next, -1)
	}
	a.found = append(a.found, nil)
	return int32(len(a.found) - 1)
}

func (a *automaton) insert(literal string, id int32) {
	state := int32(0)
	for i := 0; i < len(literal); i++ {
		at := int(state)*a.width + int(a.class[literal[i]])
		if a.next[at] < 0 {
			n := a.addState()
			a.next[at] = n
		}
		state = a.next[at]
	}
	a.found[state] = append(a.found[state], id)
}

// link turns the tree into a full automaton, breadth first.
func (a *automaton) link() {
	fail := make([]int32, len(a.found))
	var queue []int32
	for c := range a.width {
		s := a.next[c]
		if s < 0 {
			a.next[c] = 0
			continue
		}
		queue = append(queue, s)
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		a.found[s] = append(a.found[s], a.found[fail[s]]...)
		for c := range a.width {
			at := int(s)*a.width + c
			t := a.next[at]
			onFail := a.next[int(fail[s])*a.width+c]
			if t < 0 {
				a.next[at] = onFail
				continue
			}
			fail[t] = onFail
			queue = append(queue, t)
		}
	}
	a.output = make([]bool, len(a.found))
	for s := range a.found {
		a.output[s] = len(a.found[s]) > 0
	}
}

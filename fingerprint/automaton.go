package fingerprint

import "slices"

// automaton finds, in one pass over a text, which of many lower-case ASCII
// literals it holds (Aho and Corasick, 1975), whatever the text's case. The
// alphabet is reduced to the bytes that occur in a literal, so that a table
// of thousands of rules stays small.
type automaton struct {
	class [256]uint8 // byte -> column; 0 for bytes in no literal
	width int
	next  []uint16  // state*width + column -> state
	first int       // the first of the states in which a literal ends; all after it are
	found [][]int32 // state - first -> literals that end here
}

// maxStates is how many states there are numbers for.
const maxStates = 1<<16 - 1

// newAutomaton makes the automaton of as many of the literals, from the first
// on, as there are states for, and tells how many that are.
func newAutomaton(literals []string) (a *automaton, taken int) {
	a = &automaton{width: 1}
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
	states := min(statesOf(literals), maxStates)
	a.next, a.found = make([]uint16, 0, states*a.width), make([][]int32, 0, states)
	a.addState()
	for id, l := range literals {
		if len(a.found)+len(l) > maxStates {
			break
		}
		a.insert(l, int32(id))
		taken++
	}
	a.link()
	return a, taken
}

// statesOf is how many states the tree of the literals has: one for each
// prefix.
func statesOf(literals []string) int {
	n, last := 1, ""
	for _, l := range slices.Sorted(slices.Values(literals)) {
		same := 0
		for same < min(len(l), len(last)) && l[same] == last[same] {
			same++
		}
		n, last = n+len(l)-same, l
	}
	return n
}

func (a *automaton) addState() uint16 {
	for range a.width {
		a.next = append(a.next, 0) // no literal leads back to the root
	}
	a.found = append(a.found, nil)
	return uint16(len(a.found) - 1)
}

func (a *automaton) insert(literal string, id int32) {
	state := uint16(0)
	for i := 0; i < len(literal); i++ {
		at := int(state)*a.width + int(a.class[literal[i]])
		if a.next[at] == 0 {
			n := a.addState()
			a.next[at] = n
		}
		state = a.next[at]
	}
	a.found[state] = append(a.found[state], id)
}

// link turns the tree into a full automaton, breadth first.
func (a *automaton) link() {
	fail := make([]uint16, len(a.found))
	queue := make([]uint16, 0, len(a.found))
	for c := range a.width {
		if s := a.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for n := 0; n < len(queue); n++ {
		s := queue[n]
		if inherited := a.found[fail[s]]; len(inherited) > 0 {
			a.found[s] = slices.Clip(append(a.found[s], inherited...))
		}
		for c := range a.width {
			at := int(s)*a.width + c
			t := a.next[at]
			onFail := a.next[int(fail[s])*a.width+c]
			if t == 0 {
				a.next[at] = onFail
				continue
			}
			fail[t] = onFail
			queue = append(queue, t)
		}
	}
	a.order()
}

// order gives the states in which a literal ends the highest numbers, so that
// whoever runs the automaton knows them by their number.
func (a *automaton) order() {
	number := make([]uint16, len(a.found))
	n := uint16(0)
	for _, ends := range [...]bool{false, true} {
		if ends {
			a.first = int(n)
		}
		for s := range a.found {
			if len(a.found[s]) > 0 == ends {
				number[s] = n
				n++
			}
		}
	}
	next, found := make([]uint16, len(a.next)), make([][]int32, len(a.found))
	for s := range a.found {
		found[number[s]] = a.found[s]
		for c := range a.width {
			next[int(number[s])*a.width+c] = number[a.next[s*a.width+c]]
		}
	}
	a.next, a.found = next, slices.Clone(found[a.first:])
}

package main

// due says that the session in a slot sends its next packet at a time.
type due struct {
	ns   int64
	slot int32
}

// schedule is a binary heap of the sessions alive, earliest packet first.
// container/heap does the same through an interface at twice the time.
// Ties are broken by slot, so that the order is fully determined.
type schedule []due

func (d due) before(e due) bool {
	return d.ns < e.ns || d.ns == e.ns && d.slot < e.slot
}

func (s *schedule) push(d due) {
	*s = append(*s, d)
	h := *s
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !d.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = d
}

// replaceTop puts d in the place of the earliest entry. Requires: not empty.
func (s schedule) replaceTop(d due) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(s) {
			break
		}
		if child+1 < len(s) && s[child+1].before(s[child]) {
			child++
		}
		if !s[child].before(d) {
			break
		}
		s[i] = s[child]
		i = child
	}
	s[i] = d
}

// dropTop removes the earliest entry. Requires: not empty.
func (s *schedule) dropTop() {
	h := *s
	last := h[len(h)-1]
	*s = h[:len(h)-1]
	if len(*s) > 0 {
		s.replaceTop(last)
	}
}

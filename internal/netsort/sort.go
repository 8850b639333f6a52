package netsort

import "math"

// Most is the greatest length of a list that Sort takes.
const Most = 128

// few is the greatest length of a list that is sorted by insertion, which is
// faster than a network there (BenchmarkSort).
const few = 12

// Sort sorts v in place, ascending. It does not allocate.
// Requires: v has at most Most numbers.
func Sort(v []uint64) {
	if len(v) <= few {
		insertionSort(v)
		return
	}
	if wide && len(v) <= Most/2 {
		var all [Most / 2]uint64
		fill(all[copy(all[:], v):])
		sort64(&all)
		copy(v, all[:])
		return
	}
	var all [Most]uint64
	n := copy(all[:], v)
	if wide {
		fill(all[n:])
		sort128(&all)
	} else {
		size := 16
		for size < n {
			size *= 2
		}
		fill(all[n:size])
		sortRuns(&all, size)
	}
	copy(v, all[:])
}

// fill fills the places after a list up to the size of a network. The largest
// number stays after all others, and it does not matter which of several
// largest ones are the list's own.
func fill(v []uint64) {
	for i := range v {
		v[i] = math.MaxUint64
	}
}

// sortRuns sorts the first n numbers of v: runs of eight by a network, which
// are then merged in pairs until one is left. On 120 random numbers it takes
// two fifths of slices.Sort's time (BenchmarkSort with the build tag safe).
// Requires: n is a power of two from 16 to Most.
func sortRuns(v *[Most]uint64, n int) {
	var spare [Most]uint64
	for i := 0; i < n; i += 8 {
		sort8((*[8]uint64)(v[i:]))
	}
	from, to := v, &spare
	for run := 8; run < n; run *= 2 {
		for i := 0; i < n; i += 2 * run {
			mergeRuns(to, from, i, run)
		}
		from, to = to, from
	}
	if from != v {
		*v = *from
	}
}

func insertionSort(v []uint64) {
	for i := 1; i < len(v); i++ {
		x := v[i]
		j := i
		for ; j > 0 && v[j-1] > x; j-- {
			v[j] = v[j-1]
		}
		v[j] = x
	}
}

// sort8 is a sorting network for eight numbers with the fewest comparators
// possible, 19 in 6 layers (Knuth, The Art of Computer Programming, volume 3,
// section 5.3.4). The empty lines divide the layers; a layer compares disjoint
// pairs, which a CPU can do side by side.
func sort8(v *[8]uint64) {
	a, b, c, d, e, f, g, h := v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
	a, c = min(a, c), max(a, c)
	b, d = min(b, d), max(b, d)
	e, g = min(e, g), max(e, g)
	f, h = min(f, h), max(f, h)

	a, e = min(a, e), max(a, e)
	b, f = min(b, f), max(b, f)
	c, g = min(c, g), max(c, g)
	d, h = min(d, h), max(d, h)

	a, b = min(a, b), max(a, b)
	c, d = min(c, d), max(c, d)
	e, f = min(e, f), max(e, f)
	g, h = min(g, h), max(g, h)

	c, e = min(c, e), max(c, e)
	d, f = min(d, f), max(d, f)

	b, e = min(b, e), max(b, e)
	d, g = min(d, g), max(d, g)

	b, c = min(b, c), max(b, c)
	d, e = min(d, e), max(d, e)
	f, g = min(f, g), max(f, g)
	*v = [8]uint64{a, b, c, d, e, f, g, h}
}

// mergeRuns merges two ascending runs of from, of run numbers each, into to.
// The first begins at start, and the second follows it. Half of the numbers are
// merged from the front and the other half from the back, run of them each: so
// neither run can be exhausted before the last step, and no step has to ask.
// The CPU also has two chains of loads to follow side by side.
func mergeRuns(to, from *[Most]uint64, start, run int) {
	const mask = Most - 1              // with it the compiler needs no bounds checks
	i, j := start, start+run           // the front of both runs
	p, q := start+run-1, start+2*run-1 // and the back
	k, m := i, q                       // where the next numbers go
	for range run {
		x, y := from[i&mask], from[j&mask]
		to[k&mask] = min(x, y)
		step := 0
		if y < x { // compiled to a conditional move or set, not to a branch
			step = 1
		}
		j += step
		i += 1 - step
		k++

		x, y = from[p&mask], from[q&mask]
		to[m&mask] = max(x, y)
		step = 0
		if y < x {
			step = 1
		}
		p -= step
		q -= 1 - step
		m--
	}
}

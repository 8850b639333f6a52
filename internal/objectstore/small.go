package objectstore

import "slices"

// smallPart is the part of the budget that objects of up to leastRange bytes may
// take after they were read: captures are opened once to see what they are and once
// to be read, and run files for each of their sections.
const smallPart = 4

// keepSmall keeps all bytes of an object, which nobody changes any more, for those
// who open it next, with so many bytes that were taken from the budget. Where there
// is no room it gives those back.
func (f *FS) keepSmall(path string, i *info, data []byte, taken int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := int64(len(data))
	room := f.budget.total()/smallPart - f.smallBytes
	if size == 0 || size != i.size || size > leastRange || size > room || f.small[path] != nil || f.infos[path] != i || f.closed {
		f.budget.give(taken)
		return
	}
	f.budget.give(taken - size)
	f.smallBytes += size
	f.small[path] = &early{info: i, data: slices.Clip(data)}
}

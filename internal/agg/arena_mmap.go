//go:build linux && !safe

package agg

import (
	"syscall"
	"unsafe"
)

// regionBytes is the address space asked for at once. Pages become resident
// when touched, so a large region costs nothing until it is used; it has to be
// several huge pages, or the kernel cannot use any.
const regionBytes = 48 << 20

// hugePage is the size the kernel's transparent huge pages have on every
// platform where they matter here; elsewhere the advice does nothing.
const hugePage = 2 << 20

// smallMappings is how many allocations of a table get a small mapping before
// regions begin.
const smallMappings = 4

// ownBytes is the size from which an allocation gets a mapping of its own,
// which free can give back whole: the slots of a growing table.
const ownBytes = 4 << 20

// alloc returns n zeroed elements outside the garbage collector's sight.
// Requires: T holds no pointers.
//
// The first chunks of a table are small mappings with ordinary pages, so that
// a table of few sessions stays small; later ones come from large regions
// that ask for huge pages. Those are worth 25 to 40 % of a run's time on a
// million sessions, because nearly every access misses the TLB otherwise.
func alloc[T any](a *arena, n int) []T {
	b := a.take(n * sizeOf[T]())
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func (a *arena) take(size int) []byte {
	size = (size + 63) &^ 63
	a.bytes += int64(size)
	if size >= ownBytes {
		return a.mmap(size, true)[:size]
	}
	if len(a.mappings) < smallMappings {
		return a.mmap(size, false)
	}
	if size > len(a.region) {
		a.region = a.mmap(regionBytes, true)
	}
	b := a.region[:size:size]
	a.region = a.region[size:]
	return b
}

// mmap returns size or more bytes, on huge pages where the system has them.
func (a *arena) mmap(size int, huge bool) []byte {
	if huge {
		size = size + hugePage
	}
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(&OutOfMemory{err})
	}
	a.mappings = append(a.mappings, b)
	if huge {
		b = b[-int(uintptr(unsafe.Pointer(unsafe.SliceData(b))))&(hugePage-1):]
		_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE) // refused without THP: ordinary pages do
	}
	return b
}

// release gives all memory back to the system. Nothing that alloc returned
// may be used afterwards.
func (a *arena) release() {
	for _, m := range a.mappings {
		_ = syscall.Munmap(m)
	}
	*a = arena{}
}

// free gives one allocation back early, if it has a mapping of its own.
func free[T any](a *arena, s []T) {
	size := len(s) * sizeOf[T]()
	if size < ownBytes {
		return // stays with its region until release
	}
	p := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	for i, m := range a.mappings {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
		if start <= p && p < start+uintptr(len(m)) {
			a.bytes -= int64(size)
			a.mappings[i] = a.mappings[len(a.mappings)-1]
			a.mappings = a.mappings[:len(a.mappings)-1]
			_ = syscall.Munmap(m)
			return
		}
	}
}

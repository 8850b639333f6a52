// Package heap has the binary heap that merges use: package rows for rows,
// runfile for sorted files, ingest for captures that are merged by time.
//
// A merge changes the item in front and restores the order, nothing else. The
// heap of the standard library makes two interface calls for each item and
// level then; this one calls one function for each comparison. A heap belongs
// to one goroutine and keeps a slice of its items.
package heap

// A Heap has the item that comes before all others in front. The zero value is
// not ready: see New. It belongs to one goroutine.
type Heap[T any] struct {
	items  []T
	before func(a, b *T) bool
}

// New returns an empty heap in the order of before, which must be a strict weak
// order and must not keep its arguments.
func New[T any](before func(a, b *T) bool) Heap[T] { return Heap[T]{before: before} }

// Len returns the number of items.
func (h *Heap[T]) Len() int { return len(h.items) }

// Items returns the items, the one in front first, the others in no particular
// order. The slice is valid until the heap changes.
func (h *Heap[T]) Items() []T { return h.items }

// Front returns the item in front, which the caller may change if it calls
// FixFront before anything else. Requires: the heap is not empty.
func (h *Heap[T]) Front() *T { return &h.items[0] }

// Push adds an item.
func (h *Heap[T]) Push(item T) {
	h.items = append(h.items, item)
	q := h.items
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.before(&q[i], &q[up]) {
			return
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

// PopFront removes the item in front. Requires: the heap is not empty.
func (h *Heap[T]) PopFront() {
	last := len(h.items) - 1
	h.items[0] = h.items[last]
	clear(h.items[last:]) // drops the references of the item
	h.items = h.items[:last]
	h.FixFront()
}

// FixFront restores the order after the item in front has changed.
func (h *Heap[T]) FixFront() {
	q := h.items
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(q) {
			return
		}
		if other := child + 1; other < len(q) && h.before(&q[other], &q[child]) {
			child = other
		}
		if !h.before(&q[child], &q[i]) {
			return
		}
		q[i], q[child] = q[child], q[i]
		i = child
	}
}

//go:build !linux || safe

package agg

// alloc returns n zeroed elements. T holds no pointers, so the garbage
// collector does not look into them.
func alloc[T any](a *arena, n int) []T {
	s := make([]T, n)
	a.bytes += int64(n * sizeOf[T]())
	return s
}

// release forgets the memory; the garbage collector takes it.
func (a *arena) release() { *a = arena{} }

// free forgets one allocation.
func free[T any](a *arena, s []T) { a.bytes -= int64(len(s) * sizeOf[T]()) }

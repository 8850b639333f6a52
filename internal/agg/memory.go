package agg

// OutOfMemory is what a method of a Table panics with when the system has no
// memory for it. There is no way on: the table is only good for Release.
// CatchOutOfMemory makes an error of it.
type OutOfMemory struct{ Err error }

func (e *OutOfMemory) Error() string { return "out of memory: " + e.Err.Error() }
func (e *OutOfMemory) Unwrap() error { return e.Err }

// CatchOutOfMemory ends a panic with OutOfMemory and makes it the error at err.
// It is to be deferred, in each goroutine that works on tables. Any other panic
// goes on.
func CatchOutOfMemory(err *error) {
	switch v := recover().(type) {
	case nil:
	case *OutOfMemory:
		*err = v
	default:
		panic(v)
	}
}

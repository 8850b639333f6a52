package ingest

import (
	"sync/atomic"

	"pcapbatch/internal/reader"
)

// An Observer is told what happens while captures are read: a progress bar, and
// a terminal that shows damage at once. Several goroutines call it side by
// side, at most once a block.
type Observer interface {
	// Begin says that a capture is being read, until End says that it is not.
	Begin(s Source)
	End(s Source)
	// Skip says that a capture could not be opened.
	Skip()
	// Records counts the records of a block.
	Records(n int)
	// Notice has one line about damage or a warning.
	Notice(line string)
}

// A Source is a capture that is being read.
type Source interface {
	// BytesRead returns how much of it was read so far, in bytes as it lies on
	// disk. Any goroutine may call it.
	BytesRead() int64
}

// An opened is the Source of a capture that may be opened again.
type opened struct {
	now atomic.Pointer[reader.Capture]
}

// BytesRead implements Source.
func (o *opened) BytesRead() int64 {
	if c := o.now.Load(); c != nil {
		return c.BytesRead()
	}
	return 0
}

// Silent is an Observer that ignores what it is told.
type Silent struct{}

func (Silent) Begin(Source)  {}
func (Silent) End(Source)    {}
func (Silent) Skip()         {}
func (Silent) Records(int)   {}
func (Silent) Notice(string) {}

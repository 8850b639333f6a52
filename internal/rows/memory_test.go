package rows

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"pcapbatch/internal/agg"
)

// That there is no memory for tables is an error of the goroutine that asked for
// it; any other panic goes on.
func TestOutOfMemoryIsAnError(t *testing.T) {
	err := Each(t.Context(), 2, 4, func(_ context.Context, _, i int) error {
		if i == 2 {
			panic(&agg.OutOfMemory{Err: syscall.ENOMEM})
		}
		return nil
	})
	if !errors.Is(err, syscall.ENOMEM) || err.Error() != "out of memory: cannot allocate memory" {
		t.Errorf("error is %v", err)
	}
	defer func() {
		if got := recover(); got != "another" {
			t.Errorf("panic is %v", got)
		}
	}()
	_ = caught(func() error { panic("another") })
}

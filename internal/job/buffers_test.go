package job

import (
	"testing"

	"pcapbatch/internal/figures"
)

// What rows need before they are written is taken from the sessions where it is
// more than what reading needed, but never below the least share.
func TestBuffers(t *testing.T) {
	const output = 6 << 20
	for _, workers := range []int{1, 2, 16} {
		c := New()
		c.Workers, c.Memory = workers, 1<<30
		plain := c.share()
		c.Figures, c.OutputMemory = true, output
		more := rowBytes(workers) + figures.Memory + output - bufferBytes(workers)
		if got, want := plain-c.share(), max(0, more)/int64(workers)/8*7; got < want-8 || got > want+8 {
			t.Errorf("%d workers: a share is %d bytes smaller, want %d", workers, got, want)
		}
		c.Memory = LeastMemory(workers)
		if got := c.share(); got != leastShare/8*7 {
			t.Errorf("%d workers: the least share is %d", workers, got)
		}
	}
}

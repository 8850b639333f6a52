package runfile

import (
	"context"

	"pcapbatch/internal/agg"
)

// VerifyAll reads the file to its last bit: sums, order, and every session as a
// merge would decode it. Open has looked at the header and the footer. o are the
// options that the sessions were made with.
func (r *Run) VerifyAll(ctx context.Context, o agg.Options) error {
	probe := agg.NewTable(o)
	defer probe.Release()
	for i := range r.Index {
		err := merge(ctx, []Input{r.Input(i)}, func(e *item) error {
			if r.Kind == Sessions {
				return e.check(probe)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Recognised reports whether the file at path begins as a run file or a part
// does.
func (files *Files) Recognised(path string) bool { return files.begins(path, fileMagic) }

// RecognisedPack reports whether the file at path begins as a pack does.
func (files *Files) RecognisedPack(path string) bool { return files.begins(path, packMagic) }

func (files *Files) begins(path, magic string) bool {
	f, err := files.FS.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = f.ReadAt(head, 0)
	return err == nil && string(head) == magic
}

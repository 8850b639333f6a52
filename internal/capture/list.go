package capture

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"pcapbatch/internal/durable"
)

// maxList is the largest size of a list of captures, in bytes: two million
// names of 128 bytes.
const maxList = 256 << 20

// ByteOrderMark is what some editors begin a text in UTF-8 with.
const ByteOrderMark = "\ufeff"

// ReadList reads names of captures from the file at path, or from stdin for
// StdinName. They are separated by NUL bytes if there is one, else by line
// ends. Empty names are left out, and so is a byte order mark at the front. A list of more than 256 MiB is an error.
func ReadList(fsys durable.FS, path string, stdin io.Reader) ([]string, error) {
	r := stdin
	if path != StdinName {
		f, err := fsys.OpenSource(path)
		if err != nil {
			return nil, fmt.Errorf("read list of captures: %w", err)
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, fmt.Errorf("read list of captures: %w", err)
	}
	if len(data) > maxList {
		return nil, fmt.Errorf("read list of captures: %s: longer than %d bytes", path, maxList)
	}
	data = bytes.TrimPrefix(data, []byte(ByteOrderMark))
	sep := "\n"
	if bytes.IndexByte(data, 0) >= 0 {
		sep = "\x00"
	}
	var names []string
	for name := range strings.SplitSeq(string(data), sep) {
		if sep == "\n" {
			name = strings.TrimSuffix(name, "\r")
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

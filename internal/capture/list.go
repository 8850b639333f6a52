package capture

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadList reads names of captures from the file at path, or from stdin for
// StdinName. They are separated by NUL bytes if there is one, else by line
// ends. Empty names are left out.
func ReadList(path string, stdin io.Reader) ([]string, error) {
	var data []byte
	var err error
	if path == StdinName {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read list of captures: %w", err)
	}
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

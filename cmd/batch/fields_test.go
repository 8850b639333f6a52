package main

import (
	"strings"
	"testing"

	"pcapbatch/internal/writer"
)

// On a narrow terminal no line is cut in two, and no word of the dictionary is
// lost.
func TestFieldsOnANarrowTerminal(t *testing.T) {
	for _, schema := range append([]string{""}, writer.Schemas()...) {
		columns := writer.Dictionary()
		if schema != "" {
			var err error
			if columns, err = writer.SchemaColumns(schema); err != nil {
				t.Fatal(err)
			}
		}
		for _, width := range []int{20, 40, 56, 80, widestField - 1} {
			text := fieldsBlocks(columns, width)
			for _, c := range columns {
				if !strings.Contains(text, c.Name+" ("+string(c.Type)) {
					t.Errorf("%d: no %s", width, c.Name)
				}
			}
			words := strings.Join(strings.Fields(text), " ")
			for _, c := range columns {
				if !strings.Contains(words, strings.Join(strings.Fields(c.Definition+"; "+c.Exactness), " ")) {
					t.Errorf("%d: %s has lost words", width, c.Name)
				}
			}
			for line := range strings.Lines(strings.TrimSuffix(text, parquetNote)) {
				if n := len([]rune(line)) - 1; n > width && strings.Contains(strings.TrimSpace(line), " ") && line[0] == ' ' {
					t.Errorf("%d: a line of %d: %q", width, n, line)
				}
			}
		}
	}
}

package label

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds a record in bytes. What a rule can say is far shorter.
const maxRecord = 1 << 16

// maxLines bounds the lines of a file, so that none is not the number of one.
const maxLines = none - 1

// A csvReader reads records of RFC 4180. It takes "\n" and "\r\n" as line ends,
// skips empty lines and a byte order mark, and holds one record in memory, of
// at most maxRecord bytes: encoding/csv has no such bound.
type csvReader struct {
	in    *bufio.Reader
	line  uint32 // of the last line read, from 1
	first uint32 // line on which the last record begins
	text  []byte // the cells of the record
	ends  []int  // the ends of the cells in text
	cells [][]byte
}

func newCSVReader(r io.Reader) *csvReader {
	c := &csvReader{in: bufio.NewReaderSize(r, 1<<16)}
	if mark, _ := c.in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		c.in.Discard(3)
	}
	return c
}

// next returns the cells of the next record, valid until the next call, or
// io.EOF. c.first is then the line on which the record begins.
func (c *csvReader) next() ([][]byte, error) {
	for {
		c.text, c.ends = c.text[:0], c.ends[:0]
		c.first = c.line + 1
		line, err := c.readLine()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		if err := c.split(line); err != nil {
			return nil, err
		}
		c.cells = c.cells[:0]
		at := 0
		for _, end := range c.ends {
			c.cells = append(c.cells, c.text[at:end])
			at = end
		}
		return c.cells, nil
	}
}

// readLine returns the next line without its end, valid until the next call.
func (c *csvReader) readLine() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, c.tooLong()
	case errors.Is(err, io.EOF) && len(line) > 0:
	case err != nil:
		return nil, err
	case c.line == maxLines:
		return nil, errorAt(c.line, "the file has more lines than the %d that are allowed", c.line)
	}
	c.line++
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

func (c *csvReader) tooLong() error {
	return errorAt(c.first, "the rule has more than %d bytes", maxRecord)
}

// split appends the cells of the record that begins with line to c.text.
func (c *csvReader) split(line []byte) error {
	for {
		var err error
		if len(line) > 0 && line[0] == '"' {
			if line, err = c.quoted(line[1:]); err != nil {
				return err
			}
		} else {
			cell := line
			if i := bytes.IndexByte(line, ','); i >= 0 {
				cell = line[:i]
			}
			if bytes.IndexByte(cell, '"') >= 0 {
				return errorAt(c.line, "a quotation mark inside a cell that does not begin with one; "+
					"quote the cell and double the mark")
			}
			c.text = append(c.text, cell...)
			line = line[len(cell):]
		}
		c.ends = append(c.ends, len(c.text))
		if len(line) == 0 {
			return nil
		}
		line = line[1:] // the comma
	}
}

// quoted appends the quoted cell of which line is the part behind the opening
// mark, reading on where it has line breaks. It returns what follows the cell:
// nothing, or a comma and the next cell.
func (c *csvReader) quoted(line []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			c.text = append(append(c.text, line...), '\n')
			var err error
			if line, err = c.readLine(); errors.Is(err, io.EOF) {
				return nil, errorAt(c.first, "the quotation mark that begins a cell is never closed")
			} else if err != nil {
				return nil, err
			}
			if len(c.text)+len(line) > maxRecord {
				return nil, c.tooLong()
			}
			continue
		}
		c.text = append(c.text, line[:i]...)
		line = line[i+1:]
		switch {
		case len(line) == 0 || line[0] == ',':
			return line, nil
		case line[0] != '"':
			return nil, errorAt(c.line, "a quoted cell is followed by %q; only a comma or the end of the line may follow", line[:1])
		}
		c.text = append(c.text, '"')
		line = line[1:]
	}
}

package writer

import (
	"unicode"
	"unicode/utf8"
)

// mostQuoted is how many bytes of a cell one byte of text takes at most: \xNN.
const mostQuoted = 4

// appendQuoted appends a text as a cell: in double quotes where RFC 4180 asks
// for them, because of a comma or a double quote in it. Control characters,
// line ends among them, and bytes that are not UTF-8 become \xNN, so that a row
// is always one line of UTF-8. It adds at most mostQuoted times the text and 2
// bytes.
func appendQuoted(dst, text []byte) []byte {
	quote := false
	for _, c := range text {
		if c == ',' || c == '"' {
			quote = true
			break
		}
	}
	if quote {
		dst = append(dst, '"')
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '"':
			dst = append(dst, `""`...)
		case r == utf8.RuneError && size == 1 || unicode.IsControl(r):
			for _, c := range text[:size] {
				dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
			}
		default:
			dst = append(dst, text[:size]...)
		}
		text = text[size:]
	}
	if quote {
		dst = append(dst, '"')
	}
	return dst
}

const hex = "0123456789abcdef"

package capture

import "testing"

func TestParseRange(t *testing.T) {
	for text, want := range map[string]Range{"0-5": {0, 5}, "7-": {7, 0}, "9223372036854775806-9223372036854775807": {1<<63 - 2, 1<<63 - 1}} {
		if r, err := ParseRange(text); r != want || err != nil || r.String() != text {
			t.Errorf("%q: %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "5", "-5", "5-5", "6-5", "a-b", "1-2-3", "0-9223372036854775808", "-1-5", "1--5"} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
	if n := (Range{From: 3, To: 9}).Bytes(7); n != 4 {
		t.Errorf("%d bytes", n)
	}
	if n := (Range{From: 8}).Bytes(7); n != 0 {
		t.Errorf("%d bytes", n)
	}
}

package linktype

import "testing"

func TestDescribe(t *testing.T) {
	for link, want := range map[uint16]string{
		Ethernet:   "ETHERNET (1)",
		LinuxSLL2:  "LINUX_SLL2 (276)",
		RawOpenBSD: "RAW (14)",
		223:        "WIHART (223)",
		65535:      "65535",
	} {
		if got := Describe(link); got != want {
			t.Errorf("link type %d: %q, want %q", link, got, want)
		}
	}
	if Name(65535) != "" {
		t.Errorf("link type 65535 has the name %q", Name(65535))
	}
}

// TestNamesAreDistinct: no two link types have the same name, but for the three
// numbers of raw IP, and the registry has no gap up to 290 that is not its own.
func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]uint16{}
	for link, name := range names {
		if other, ok := seen[name]; ok && name != "RAW" {
			t.Errorf("%d and %d are both %s", link, other, name)
		}
		seen[name] = link
	}
	for link := uint16(99); link <= 290; link++ {
		if names[link] == "" && link != 208 { // reserved

			t.Errorf("link type %d has no name", link)
		}
	}
}

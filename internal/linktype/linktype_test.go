package linktype

import "testing"

func TestDescribe(t *testing.T) {
	for link, want := range map[uint16]string{
		Ethernet:   "ETHERNET (1)",
		LinuxSLL2:  "LINUX_SLL2 (276)",
		RawOpenBSD: "RAW (14)",
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

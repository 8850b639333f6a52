package decode

import (
	"strings"
	"testing"
)

func TestParseTunnelPorts(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"vxlan=8472":                      "vxlan=8472",
		"geneve=7000,vxlan-gpe=1,mpls=53": "vxlan-gpe=1,mpls=53,geneve=7000",
	} {
		ports, err := ParseTunnelPorts(text)
		if got := FormatTunnelPorts(ports); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"vxlan": "1 to 65535", "vxlan=0": "1 to 65535", "vxlan=65536": "1 to 65535", "vxlan=x": "1 to 65535",
		"wireguard=1": "one of the tunnels vxlan, ", "=1": "one of the tunnels", ",": "one of the tunnels",
		"vxlan=1,geneve=1": "named twice",
	} {
		if _, err := ParseTunnelPorts(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

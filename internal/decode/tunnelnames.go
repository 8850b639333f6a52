package decode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tunnelNames are the names of tunnels in ParseTunnelPorts.
var tunnelNames = [...]string{
	VXLAN: "vxlan", VXLANGPE: "vxlan-gpe", GENEVE: "geneve", GTPU: "gtp-u", L2TP: "l2tp",
	Teredo: "teredo", TZSP: "tzsp", CAPWAP: "capwap", MPLSInUDP: "mpls", GREInUDP: "gre",
}

// TunnelNames returns the names of tunnels in ParseTunnelPorts.
func TunnelNames() []string { return slices.Clone(tunnelNames[1:]) }

// ParseTunnelPorts returns the ports of a list such as "vxlan=8472,geneve=7000".
// An error names the entry that is wrong and what is allowed. An empty list has
// no ports.
func ParseTunnelPorts(list string) (ports []TunnelPort, err error) {
	if list == "" {
		return nil, nil
	}
	for entry := range strings.SplitSeq(list, ",") {
		name, number, _ := strings.Cut(entry, "=")
		tunnel := slices.Index(tunnelNames[1:], name) + 1
		if tunnel == 0 {
			return nil, fmt.Errorf("%q: want TUNNEL=PORT with one of the tunnels %s", entry, strings.Join(tunnelNames[1:], ", "))
		}
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("%q: want a UDP port from 1 to 65535 after %s=", entry, name)
		}
		if slices.ContainsFunc(ports, func(p TunnelPort) bool { return p.Port == uint16(port) }) {
			return nil, fmt.Errorf("%q: port %d is named twice", entry, port)
		}
		ports = append(ports, TunnelPort{uint16(port), Tunnel(tunnel)})
	}
	return ports, nil
}

// FormatTunnelPorts is the reverse of ParseTunnelPorts, in the order of the
// ports.
func FormatTunnelPorts(ports []TunnelPort) string {
	ports = slices.SortedFunc(slices.Values(ports), func(a, b TunnelPort) int { return int(a.Port) - int(b.Port) })
	var list []string
	for _, p := range ports {
		list = append(list, fmt.Sprintf("%s=%d", tunnelNames[p.Tunnel], p.Port))
	}
	return strings.Join(list, ",")
}

package decode

import "github.com/google/gopacket"

// Tunnel is a kind of tunnel over UDP. Only the port of a datagram names it.
type Tunnel uint8

// The tunnels over UDP that Options.Decapsulate opens.
const (
	VXLAN     Tunnel = iota + 1 // RFC 7348
	VXLANGPE                    // draft-ietf-nvo3-vxlan-gpe, and VXLAN on its port
	GENEVE                      // RFC 8926
	GTPU                        // 3GPP TS 29.281
	L2TP                        // version 2: RFC 2661
	Teredo                      // RFC 4380
	TZSP                        // TaZmen Sniffer Protocol
	CAPWAP                      // data channel: RFC 5415
	MPLSInUDP                   // RFC 7510
	GREInUDP                    // RFC 8086
)

// TunnelPort assigns a UDP destination port to a tunnel. L2TP, Teredo and
// CAPWAP are recognised by the source port too, and so is GTP-U if the length
// in its header is that of the datagram.
type TunnelPort struct {
	Port   uint16
	Tunnel Tunnel
}

// DefaultTunnelPorts returns the registered ports of all tunnels, the port that
// Linux uses for VXLAN, and the usual one of TZSP. The caller owns the slice.
func DefaultTunnelPorts() []TunnelPort {
	return []TunnelPort{
		{1701, L2TP}, {2152, GTPU}, {3544, Teredo}, {4754, GREInUDP}, {4789, VXLAN}, {4790, VXLANGPE},
		{5247, CAPWAP}, {6081, GENEVE}, {6635, MPLSInUDP}, {8472, VXLAN}, {37008, TZSP},
	}
}

// tunnelLayers is the first layer inside a datagram to the port of a tunnel.
var tunnelLayers = [...]gopacket.LayerType{
	VXLAN: layerVXLAN, VXLANGPE: layerVXLANGPE, GENEVE: layerGENEVE, GTPU: layerGTP, L2TP: layerL2TP,
	Teredo: layerTeredo, TZSP: layerTZSP, CAPWAP: layerCAPWAP, MPLSInUDP: layerMPLS, GREInUDP: layerGRE,
}

// sourceLayers is the same for a datagram from the port of a tunnel to another
// port.
var sourceLayers = [...]gopacket.LayerType{
	L2TP: layerL2TP, Teredo: layerTeredo, CAPWAP: layerCAPWAP, GTPU: layerGTPSource, GREInUDP: layerNone,
}

// portTable finds the tunnel of a port. Nearly all ports have none, and for
// most of these the low byte is enough to know it.
type portTable struct {
	low  [256]bool // low bytes of the ports in list
	list []TunnelPort
}

// newPortTable makes the table for Options.TunnelPorts. If a port has two
// entries, the last one counts.
func newPortTable(ports []TunnelPort) *portTable {
	t := &portTable{list: ports}
	for _, e := range ports {
		t.low[uint8(e.Port)] = true
	}
	return t
}

// maybe reports whether one of two ports may be that of a tunnel.
func (t *portTable) maybe(src, dst uint16) bool { return t.low[uint8(src)] || t.low[uint8(dst)] }

// layer returns the first layer inside a datagram from port src to port dst, or
// layerNone if there is no tunnel.
func (t *portTable) layer(src, dst uint16) gopacket.LayerType {
	if next := tunnelLayers[t.tunnel(dst)]; next != layerNone {
		return next
	}
	return sourceLayers[t.tunnel(src)]
}

// tunnel returns the tunnel of a port, 0 if it has none.
func (t *portTable) tunnel(port uint16) (found Tunnel) {
	for _, e := range t.list {
		if e.Port == port {
			found = e.Tunnel
		}
	}
	return found
}

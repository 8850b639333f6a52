package decode

import "github.com/google/gopacket"

// Tunnel is a tunnel over UDP, which datagrams announce by their port only.
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

// TunnelPort says that datagrams to a UDP port are those of a tunnel. L2TP,
// Teredo and CAPWAP are known by the source port too, and so is GTP-U if the
// length in its header is that of the datagram.
type TunnelPort struct {
	Port   uint16
	Tunnel Tunnel
}

// DefaultTunnelPorts returns the ports that tunnels have by default: those
// assigned to them, and the one that Linux has for VXLAN. The caller owns the
// slice.
func DefaultTunnelPorts() []TunnelPort {
	return []TunnelPort{
		{1701, L2TP}, {2152, GTPU}, {3544, Teredo}, {4754, GREInUDP}, {4789, VXLAN}, {4790, VXLANGPE},
		{5247, CAPWAP}, {6081, GENEVE}, {6635, MPLSInUDP}, {8472, VXLAN}, {37008, TZSP},
	}
}

// tunnelLayers has the layer that a datagram of a tunnel begins with.
var tunnelLayers = [...]gopacket.LayerType{
	VXLAN: layerVXLAN, VXLANGPE: layerVXLANGPE, GENEVE: layerGENEVE, GTPU: layerGTP, L2TP: layerL2TP,
	Teredo: layerTeredo, TZSP: layerTZSP, CAPWAP: layerCAPWAP, MPLSInUDP: layerMPLS, GREInUDP: layerGRE,
}

// sourceLayers is tunnelLayers for datagrams that come from the port of the
// tunnel and go to another one.
var sourceLayers = [...]gopacket.LayerType{
	L2TP: layerL2TP, Teredo: layerTeredo, CAPWAP: layerCAPWAP, GTPU: layerGTPSource, GREInUDP: layerNone,
}

// portTable finds the tunnel of a port. Nearly all ports have none, which the
// low byte tells for all but a few of them.
type portTable struct {
	low  [256]bool // low bytes of the ports in list
	list []TunnelPort
}

// newPortTable makes the table for Options.TunnelPorts. Of two entries for one
// port the last one holds.
func newPortTable(ports []TunnelPort) *portTable {
	t := &portTable{list: ports}
	for _, e := range ports {
		t.low[uint8(e.Port)] = true
	}
	return t
}

// maybe reports whether one of two ports can be that of a tunnel.
func (t *portTable) maybe(src, dst uint16) bool { return t.low[uint8(src)] || t.low[uint8(dst)] }

// layer returns the layer that a datagram from src to dst begins with,
// layerNone if it is that of no tunnel.
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

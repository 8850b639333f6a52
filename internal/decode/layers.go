package decode

import "github.com/google/gopacket"

// Numbers of the layers. They are private to this package and not registered
// with gopacket.
const (
	layerNone gopacket.LayerType = iota
	layerNull
	layerTokenRing
	layerPPPDirection
	layerCHDLCDirection
	layerFrameRelayDirection
	layerFDDI
	layerPPPHDLC
	layerCHDLC
	layerWLAN
	layerMSDU
	layerFrameRelay
	layerENC
	layerSLL
	layerSLL2
	layerPFLOG
	layerPrism
	layerFibreChannel
	layerRadiotap
	layerFireWire
	layerPKTAP
	layerPPI
	layerJuniperEthernet
	layerJuniperPPP
	layerJuniperFrameRelay
	layerJuniperCHDLC
	layerIPNET
	layerNFLOG
	layerATM
	layerSLIP
	layerIPoIB
	layerERF
	layerBroadcomTag
	layerBroadcomPrepend
	layerDSA
	layerEDSA
	layerEthernet
	layerVLAN
	layerLLC
	layerMPLS
	layerPPPoE
	layerPPP
	layerMACsec
	layerCiscoMeta
	layerVNTag
	layerRTag
	layerHSR
	layerETag
	layerArista
	layerEDSATag
	layerBackbone
	layerFabricPath
	layerTRILL
	layerNSH
	layerIP
	layerIPv4
	layerIPv6
	layerGRE
	layerERSPAN3
	layerVXLAN
	layerVXLANGPE
	layerGENEVE
	layerGTP
	layerGTPSource
	layerTeredo
	layerL2TP
	layerTZSP
	layerCAPWAP
	layerCAPWAPFrame
	layerEtherIP
	numLayers
)

// layer is the only DecodingLayer of this package: a function on the shared
// packet state. A type for each protocol would save an indirect call, but was
// measured to be no faster.
type layer struct {
	*packet
	decode func(*packet, []byte)
	typ    gopacket.LayerType
}

// DecodeFromBytes implements gopacket.DecodingLayer; it never fails.
func (l *layer) DecodeFromBytes(data []byte, _ gopacket.DecodeFeedback) error {
	l.decode(l.packet, data)
	return nil
}

// CanDecode implements gopacket.DecodingLayer.
func (l *layer) CanDecode() gopacket.LayerClass { return l.typ }

// NextLayerType implements gopacket.DecodingLayer.
func (l *layer) NextLayerType() gopacket.LayerType { return l.next }

// LayerPayload implements gopacket.DecodingLayer.
func (l *layer) LayerPayload() []byte { return l.rest }

// newLayers returns all layers over one packet state, by layer type.
func newLayers(p *packet) gopacket.DecodingLayerSparse {
	table := [numLayers]func(*packet, []byte){
		layerNull:                (*packet).null,
		layerTokenRing:           (*packet).tokenRing,
		layerPPPDirection:        (*packet).pppDirection,
		layerFDDI:                (*packet).fddi,
		layerPPPHDLC:             (*packet).pppHDLC,
		layerCHDLC:               (*packet).cHDLC,
		layerWLAN:                (*packet).wlan,
		layerMSDU:                (*packet).msdu,
		layerFrameRelay:          (*packet).frameRelay,
		layerENC:                 (*packet).enc,
		layerSLL:                 (*packet).sll,
		layerSLL2:                (*packet).sll2,
		layerPFLOG:               (*packet).pflog,
		layerPrism:               (*packet).prism,
		layerFibreChannel:        (*packet).fibreChannel,
		layerRadiotap:            (*packet).radiotap,
		layerFireWire:            (*packet).fireWire,
		layerPKTAP:               (*packet).pktap,
		layerPPI:                 (*packet).ppi,
		layerJuniperEthernet:     (*packet).juniperEthernet,
		layerJuniperPPP:          (*packet).juniperPPP,
		layerJuniperFrameRelay:   (*packet).juniperFrameRelay,
		layerJuniperCHDLC:        (*packet).juniperCHDLC,
		layerIPNET:               (*packet).ipnet,
		layerNFLOG:               (*packet).nflog,
		layerCHDLCDirection:      (*packet).cHDLCDirection,
		layerFrameRelayDirection: (*packet).frameRelayDirection,
		layerATM:                 (*packet).atm,
		layerSLIP:                (*packet).slip,
		layerIPoIB:               (*packet).ipoib,
		layerERF:                 (*packet).erf,
		layerBroadcomTag:         (*packet).broadcomTag,
		layerBroadcomPrepend:     (*packet).broadcomPrepend,
		layerDSA:                 (*packet).dsa,
		layerEDSA:                (*packet).edsa,
		layerEthernet:            (*packet).ethernet,
		layerVLAN:                (*packet).vlan,
		layerLLC:                 (*packet).llc,
		layerMPLS:                (*packet).mpls,
		layerPPPoE:               (*packet).pppoe,
		layerPPP:                 (*packet).ppp,
		layerMACsec:              (*packet).macsec,
		layerCiscoMeta:           (*packet).ciscoMeta,
		layerVNTag:               (*packet).vnTag,
		layerRTag:                (*packet).rTag,
		layerHSR:                 (*packet).hsr,
		layerETag:                (*packet).eTag,
		layerArista:              (*packet).arista,
		layerEDSATag:             (*packet).edsaTag,
		layerBackbone:            (*packet).backbone,
		layerFabricPath:          (*packet).fabricPath,
		layerTRILL:               (*packet).trill,
		layerNSH:                 (*packet).nsh,
		layerIP:                  (*packet).ip,
		layerIPv4:                (*packet).ipv4,
		layerIPv6:                (*packet).ipv6,
		layerGRE:                 (*packet).gre,
		layerERSPAN3:             (*packet).erspan3,
		layerVXLAN:               (*packet).vxlan,
		layerVXLANGPE:            (*packet).vxlanGPE,
		layerGENEVE:              (*packet).geneve,
		layerGTP:                 (*packet).gtp,
		layerGTPSource:           (*packet).gtpSource,
		layerTeredo:              (*packet).teredo,
		layerL2TP:                (*packet).l2tp,
		layerTZSP:                (*packet).tzsp,
		layerCAPWAP:              (*packet).capwap,
		layerCAPWAPFrame:         (*packet).capwapFrame,
		layerEtherIP:             (*packet).etherIP,
	}
	s := make(gopacket.DecodingLayerSparse, numLayers)
	for typ, decode := range table {
		if decode != nil {
			s[typ] = &layer{packet: p, decode: decode, typ: gopacket.LayerType(typ)}
		}
	}
	return s
}

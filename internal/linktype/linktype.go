// Package linktype numbers and names the link types of packet captures.
//
// The numbers are those of the LINKTYPE_ registry (www.tcpdump.org/linktypes.html),
// which pcap and pcapng share; the names are the registry's without that
// prefix. Package reader translates other formats to these numbers, package
// decode decides from them which header a record begins with, and whatever is
// shown to a person uses the names. Link types that nothing here can decode
// have names too, so that a person can look them up.
package linktype

import "fmt"

// Link types that package reader or package decode treat by name.
const (
	Null               uint16 = 0
	Ethernet           uint16 = 1
	TokenRing          uint16 = 6
	SLIP               uint16 = 8
	PPP                uint16 = 9
	FDDI               uint16 = 10
	RawBSD             uint16 = 12 // Raw as BSD numbers it
	RawOpenBSD         uint16 = 14 // Raw as OpenBSD numbers it
	PPPHDLC            uint16 = 50
	PPPoE              uint16 = 51
	ATMRFC1483         uint16 = 100
	Raw                uint16 = 101
	CiscoHDLC          uint16 = 104
	IEEE80211          uint16 = 105
	FrameRelay         uint16 = 107
	Loop               uint16 = 108
	ENC                uint16 = 109
	LinuxSLL           uint16 = 113
	PFLOG              uint16 = 117
	IEEE80211Prism     uint16 = 119
	IPOverFibreChannel uint16 = 122
	IEEE80211Radiotap  uint16 = 127
	IPOverFireWire     uint16 = 138
	User2              uint16 = 149 // PKTAP, in captures older than its own number
	IEEE80211AVS       uint16 = 163
	PPPPPPD            uint16 = 166
	JuniperEthernet    uint16 = 178
	JuniperPPP         uint16 = 179
	JuniperFrameRelay  uint16 = 180
	JuniperCiscoHDLC   uint16 = 181
	PPI                uint16 = 192
	ERF                uint16 = 197
	PPPWithDirection   uint16 = 204
	IPNET              uint16 = 226
	IPv4               uint16 = 228
	IPv6               uint16 = 229
	NFLOG              uint16 = 239
	IPoIB              uint16 = 242
	PKTAP              uint16 = 258
	LinuxSLL2          uint16 = 276
	DSABroadcom        uint16 = 281
	DSABroadcomPrepend uint16 = 282
	DSAMarvell         uint16 = 284
	EDSAMarvell        uint16 = 285
)

// Name returns the name of a link type as the registry spells it, or "" where
// it has none here.
func Name(link uint16) string { return names[link] }

// Describe returns the name of a link type with its number in parentheses, or
// the number alone where it has no name.
func Describe(link uint16) string {
	if name, ok := names[link]; ok {
		return fmt.Sprintf("%s (%d)", name, link)
	}
	return fmt.Sprint(link)
}

// names has every link type that captures are met with. It is not modified.
var names = map[uint16]string{
	Null:               "NULL",
	Ethernet:           "ETHERNET",
	3:                  "AX25",
	TokenRing:          "IEEE802_5",
	7:                  "ARCNET_BSD",
	SLIP:               "SLIP",
	PPP:                "PPP",
	FDDI:               "FDDI",
	RawBSD:             "RAW",
	RawOpenBSD:         "RAW",
	PPPHDLC:            "PPP_HDLC",
	PPPoE:              "PPP_ETHER",
	99:                 "SYMANTEC_FIREWALL",
	ATMRFC1483:         "ATM_RFC1483",
	Raw:                "RAW",
	CiscoHDLC:          "C_HDLC",
	IEEE80211:          "IEEE802_11",
	106:                "ATM_CLIP",
	FrameRelay:         "FRELAY",
	Loop:               "LOOP",
	ENC:                "ENC",
	LinuxSLL:           "LINUX_SLL",
	114:                "LTALK",
	PFLOG:              "PFLOG",
	IEEE80211Prism:     "IEEE802_11_PRISM",
	IPOverFibreChannel: "IP_OVER_FC",
	123:                "SUNATM",
	IEEE80211Radiotap:  "IEEE802_11_RADIOTAP",
	129:                "ARCNET_LINUX",
	130:                "JUNIPER_MLPPP",
	132:                "JUNIPER_ES",
	133:                "JUNIPER_GGSN",
	137:                "JUNIPER_ATM1",
	IPOverFireWire:     "APPLE_IP_OVER_IEEE1394",
	139:                "MTP2_WITH_PHDR",
	140:                "MTP2",
	141:                "MTP3",
	142:                "SCCP",
	143:                "DOCSIS",
	144:                "LINUX_IRDA",
	147:                "USER0",
	148:                "USER1",
	User2:              "USER2",
	150:                "USER3",
	151:                "USER4",
	152:                "USER5",
	153:                "USER6",
	154:                "USER7",
	155:                "USER8",
	156:                "USER9",
	157:                "USER10",
	158:                "USER11",
	159:                "USER12",
	160:                "USER13",
	161:                "USER14",
	162:                "USER15",
	IEEE80211AVS:       "IEEE802_11_AVS",
	165:                "BACNET_MS_TP",
	PPPPPPD:            "PPP_PPPD",
	169:                "GPRS_LLC",
	177:                "LINUX_LAPD",
	JuniperEthernet:    "JUNIPER_ETHER",
	JuniperPPP:         "JUNIPER_PPP",
	JuniperFrameRelay:  "JUNIPER_FRELAY",
	JuniperCiscoHDLC:   "JUNIPER_CHDLC",
	182:                "MFR",
	187:                "BLUETOOTH_HCI_H4",
	189:                "USB_LINUX",
	PPI:                "PPI",
	195:                "IEEE802_15_4_WITHFCS",
	196:                "SITA",
	ERF:                "ERF",
	201:                "BLUETOOTH_HCI_H4_WITH_PHDR",
	203:                "LAPD",
	PPPWithDirection:   "PPP_WITH_DIR",
	205:                "C_HDLC_WITH_DIR",
	206:                "FRELAY_WITH_DIR",
	209:                "IPMB_LINUX",
	210:                "FLEXRAY",
	212:                "LIN",
	215:                "IEEE802_15_4_NONASK_PHY",
	220:                "USB_LINUX_MMAPPED",
	224:                "FC_2",
	225:                "FC_2_WITH_FRAME_DELIMS",
	IPNET:              "IPNET",
	227:                "CAN_SOCKETCAN",
	IPv4:               "IPV4",
	IPv6:               "IPV6",
	230:                "IEEE802_15_4_NOFCS",
	231:                "DBUS",
	235:                "DVB_CI",
	236:                "MUX27010",
	237:                "STANAG_5066_D_PDU",
	NFLOG:              "NFLOG",
	240:                "NETANALYZER",
	241:                "NETANALYZER_TRANSPARENT",
	IPoIB:              "IPOIB",
	243:                "MPEG_2_TS",
	244:                "NG40",
	245:                "NFC_LLCP",
	247:                "INFINIBAND",
	248:                "SCTP",
	249:                "USBPCAP",
	250:                "RTAC_SERIAL",
	251:                "BLUETOOTH_LE_LL",
	253:                "NETLINK",
	254:                "BLUETOOTH_LINUX_MONITOR",
	255:                "BLUETOOTH_BREDR_BB",
	256:                "BLUETOOTH_LE_LL_WITH_PHDR",
	257:                "PROFIBUS_DL",
	PKTAP:              "PKTAP",
	259:                "EPON",
	260:                "IPMI_HPM_2",
	261:                "ZWAVE_R1_R2",
	262:                "ZWAVE_R3",
	263:                "WATTSTOPPER_DLM",
	264:                "ISO_14443",
	265:                "RDS",
	266:                "USB_DARWIN",
	268:                "SDLC",
	270:                "LORATAP",
	271:                "VSOCK",
	272:                "NORDIC_BLE",
	273:                "DOCSIS31_XRA31",
	274:                "ETHERNET_MPACKET",
	275:                "DISPLAYPORT_AUX",
	LinuxSLL2:          "LINUX_SLL2",
	278:                "OPENVIZSLA",
	279:                "EBHSCR",
	280:                "VPP_DISPATCH",
	DSABroadcom:        "DSA_TAG_BRCM",
	DSABroadcomPrepend: "DSA_TAG_BRCM_PREPEND",
	283:                "IEEE802_15_4_TAP",
	DSAMarvell:         "DSA_TAG_DSA",
	EDSAMarvell:        "DSA_TAG_EDSA",
	286:                "ELEE",
	287:                "Z_WAVE_SERIAL",
	288:                "USB_2_0",
	289:                "ATSC_ALP",
	290:                "ETW",
	292:                "ZBOSS_NCP",
}

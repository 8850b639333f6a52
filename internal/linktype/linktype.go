// Package linktype numbers and names the link types of packet captures.
//
// The numbers are those of the LINKTYPE_ registry
// (www.tcpdump.org/linktypes.html), which pcap and pcapng share; the names are
// the registry's without that prefix. Package reader translates other formats
// to these numbers, package decode decides from them which header a record
// begins with, and whatever is shown to a person uses the names. Link types
// that nothing here can decode have names too, so that a person can look them
// up.
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
	ERFEthernet        uint16 = 175
	ERFPOS             uint16 = 176
	JuniperEthernet    uint16 = 178
	JuniperPPP         uint16 = 179
	JuniperFrameRelay  uint16 = 180
	JuniperCiscoHDLC   uint16 = 181
	PPI                uint16 = 192
	ERF                uint16 = 197
	PPPWithDirection   uint16 = 204
	CHDLCWithDirection uint16 = 205
	FRWithDirection    uint16 = 206
	MPLS               uint16 = 219
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

// names has the registry's link types up to 290, and later ones that captures
// are met with. It is not modified.
var names = map[uint16]string{
	Null:               "NULL",
	Ethernet:           "ETHERNET",
	2:                  "EXP_ETHERNET",
	3:                  "AX25",
	4:                  "PRONET",
	5:                  "CHAOS",
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
	102:                "SLIP_BSDOS",
	103:                "PPP_BSDOS",
	CiscoHDLC:          "C_HDLC",
	IEEE80211:          "IEEE802_11",
	106:                "ATM_CLIP",
	FrameRelay:         "FRELAY",
	Loop:               "LOOP",
	ENC:                "ENC",
	110:                "LANE8023",
	111:                "HIPPI",
	112:                "HDLC",
	LinuxSLL:           "LINUX_SLL",
	114:                "LTALK",
	115:                "ECONET",
	116:                "IPFILTER",
	PFLOG:              "PFLOG",
	118:                "CISCO_IOS",
	IEEE80211Prism:     "IEEE802_11_PRISM",
	120:                "IEEE802_11_AIRONET",
	121:                "HHDLC",
	IPOverFibreChannel: "IP_OVER_FC",
	123:                "SUNATM",
	124:                "RIO",
	125:                "PCI_EXP",
	126:                "AURORA",
	IEEE80211Radiotap:  "IEEE802_11_RADIOTAP",
	128:                "TZSP",
	129:                "ARCNET_LINUX",
	130:                "JUNIPER_MLPPP",
	131:                "JUNIPER_MLFR",
	132:                "JUNIPER_ES",
	133:                "JUNIPER_GGSN",
	134:                "JUNIPER_MFR",
	135:                "JUNIPER_ATM2",
	136:                "JUNIPER_SERVICES",
	137:                "JUNIPER_ATM1",
	IPOverFireWire:     "APPLE_IP_OVER_IEEE1394",
	139:                "MTP2_WITH_PHDR",
	140:                "MTP2",
	141:                "MTP3",
	142:                "SCCP",
	143:                "DOCSIS",
	144:                "LINUX_IRDA",
	145:                "IBM_SP",
	146:                "IBM_SN",
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
	164:                "JUNIPER_MONITOR",
	165:                "BACNET_MS_TP",
	PPPPPPD:            "PPP_PPPD",
	167:                "JUNIPER_PPPOE",
	168:                "JUNIPER_PPPOE_ATM",
	169:                "GPRS_LLC",
	170:                "GPF_T",
	171:                "GPF_F",
	172:                "GCOM_T1E1",
	173:                "GCOM_SERIAL",
	174:                "JUNIPER_PIC_PEER",
	ERFEthernet:        "ERF_ETH",
	ERFPOS:             "ERF_POS",
	177:                "LINUX_LAPD",
	JuniperEthernet:    "JUNIPER_ETHER",
	JuniperPPP:         "JUNIPER_PPP",
	JuniperFrameRelay:  "JUNIPER_FRELAY",
	JuniperCiscoHDLC:   "JUNIPER_CHDLC",
	182:                "MFR",
	183:                "JUNIPER_VP",
	184:                "A429",
	185:                "A653_ICM",
	186:                "USB_FREEBSD",
	187:                "BLUETOOTH_HCI_H4",
	188:                "IEEE802_16_MAC_CPS",
	189:                "USB_LINUX",
	190:                "CAN20B",
	191:                "IEEE802_15_4_LINUX",
	PPI:                "PPI",
	193:                "IEEE802_16_MAC_CPS_RADIO",
	194:                "JUNIPER_ISM",
	195:                "IEEE802_15_4_WITHFCS",
	196:                "SITA",
	ERF:                "ERF",
	198:                "RAIF1",
	199:                "IPMB_KONTRON",
	200:                "JUNIPER_ST",
	201:                "BLUETOOTH_HCI_H4_WITH_PHDR",
	202:                "AX25_KISS",
	203:                "LAPD",
	PPPWithDirection:   "PPP_WITH_DIR",
	CHDLCWithDirection: "C_HDLC_WITH_DIR",
	FRWithDirection:    "FRELAY_WITH_DIR",
	207:                "LAPB_WITH_DIR",
	209:                "IPMB_LINUX",
	210:                "FLEXRAY",
	211:                "MOST",
	212:                "LIN",
	213:                "X2E_SERIAL",
	214:                "X2E_XORAYA",
	215:                "IEEE802_15_4_NONASK_PHY",
	216:                "LINUX_EVDEV",
	217:                "GSMTAP_UM",
	218:                "GSMTAP_ABIS",
	MPLS:               "MPLS",
	220:                "USB_LINUX_MMAPPED",
	221:                "DECT",
	222:                "AOS",
	223:                "WIHART",
	224:                "FC_2",
	225:                "FC_2_WITH_FRAME_DELIMS",
	IPNET:              "IPNET",
	227:                "CAN_SOCKETCAN",
	IPv4:               "IPV4",
	IPv6:               "IPV6",
	230:                "IEEE802_15_4_NOFCS",
	231:                "DBUS",
	232:                "JUNIPER_VS",
	233:                "JUNIPER_SRX_E2E",
	234:                "JUNIPER_FIBRECHANNEL",
	235:                "DVB_CI",
	236:                "MUX27010",
	237:                "STANAG_5066_D_PDU",
	238:                "JUNIPER_ATM_CEMIC",
	NFLOG:              "NFLOG",
	240:                "NETANALYZER",
	241:                "NETANALYZER_TRANSPARENT",
	IPoIB:              "IPOIB",
	243:                "MPEG_2_TS",
	244:                "NG40",
	245:                "NFC_LLCP",
	246:                "PFSYNC",
	247:                "INFINIBAND",
	248:                "SCTP",
	249:                "USBPCAP",
	250:                "RTAC_SERIAL",
	251:                "BLUETOOTH_LE_LL",
	252:                "WIRESHARK_UPPER_PDU",
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
	267:                "OPENFLOW",
	268:                "SDLC",
	269:                "TI_LLN_SNIFFER",
	270:                "LORATAP",
	271:                "VSOCK",
	272:                "NORDIC_BLE",
	273:                "DOCSIS31_XRA31",
	274:                "ETHERNET_MPACKET",
	275:                "DISPLAYPORT_AUX",
	LinuxSLL2:          "LINUX_SLL2",
	277:                "SERCOS_MONITOR",
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

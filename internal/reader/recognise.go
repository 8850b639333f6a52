package reader

import (
	"bytes"
	"fmt"
	"io"
)

// sniffBytes is how far into a capture recognition looks: every magic number,
// and the header of every format but erf.
const sniffBytes = 4 << 10

// recognise finds out the format of an uncompressed capture and reads its
// header; step.used is its length.
func recognise(in *stream, seen *tally) (format, step) {
	head, want := in.peek(sniffBytes), sniffBytes
	if _, _, ok := isPcap(head); ok {
		want = pcapSniff(head)
		head = in.peek(want)
	} else if !isPcapng(head) && !bytes.HasPrefix(head, []byte(snoopMagic)) && unknown(head).kind != Unsupported {
		head = in.peek(erfSniff)
	}
	return recogniseIn(head, len(head) < want, seen)
}

// recogniseIn is recognise for a capture that begins at the front of head;
// whole says that nothing follows head.
func recogniseIn(head []byte, whole bool, seen *tally) (format, step) {
	if _, _, ok := isPcap(head); ok {
		return opened(newPcap(head, whole, seen))
	}
	if isPcapng(head) {
		return &pcapng{seen: seen}, step{} // its header is a block, and taken by the walk
	}
	if bytes.HasPrefix(head, []byte(snoopMagic)) {
		return opened(newSnoop(head, seen))
	}
	if st := unknown(head); st.kind == Unsupported || !isErf(head) {
		return nil, st
	}
	return &erf{seen: seen}, step{}
}

// opened turns a format of any type, nil with an error, into the interface.
func opened[F format](f F, st step) (format, step) {
	if st.err != nil {
		return nil, st
	}
	return f, st
}

// unknown is the error for content that is of no format read here.
func unknown(head []byte) step {
	for _, k := range known {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return step{kind: Unsupported, err: fmt.Errorf("this is %s, %s", k.name, k.advice)}
		}
	}
	if len(head) < 4 {
		return step{kind: NotCapture, err: fmt.Errorf("not a capture: only %d bytes", len(head))}
	}
	return step{kind: NotCapture, err: fmt.Errorf("not a capture: it begins with %s", beginning(head))}
}

// beginning shows the first bytes of a file: as text if they are text, else in
// hexadecimal.
func beginning(head []byte) string {
	text := head[:min(24, len(head))]
	if i := bytes.IndexAny(text, "\r\n"); i > 0 {
		text = text[:i]
	}
	for _, c := range text {
		if c != '\t' && (c < ' ' || c > '~') {
			return fmt.Sprintf("% x", head[:min(8, len(head))])
		}
	}
	return fmt.Sprintf("the text %q", text)
}

const (
	convert = "convert it with editcap"
	extract = "unpack it first"
)

// known lists what is met where captures are expected, and how to make a
// capture of it.
var known = []struct{ magic, name, advice string }{
	{"RTSS", "a NetMon 1 file", convert},
	{"GMBU", "a NetMon 2 file", convert},
	{"TRSNIFF data    \x1a", "a Sniffer (DOS) file", convert},
	{"XCP\x00", "a NetXRay or Sniffer (Windows) file", convert},
	{"VL\x00\x00", "an old NetXRay file", convert},
	{"\xaa\xaa\xaa\xaa", "a 5Views file", convert},
	{"btsnoop\x00", "a btsnoop file", convert},
	{"iptrace 1.0", "an AIX iptrace file", convert},
	{"iptrace 2.0", "an AIX iptrace file", convert},
	{"\x7fver", "an EtherPeek or OmniPeek file", convert},
	{"ObserverPktBuffe", "a Network Instruments Observer file", convert},
	{"\x05VNF", "a Visual Networks file", convert},
	{"\x00\x00\x02\x00\x12\x05\x00\x10", "a Tektronix K12 file", convert},
	{"+---------+-----", "a Tektronix K12 text file", convert},
	{"LOGG", "a Vector BLF file", convert},
	{"\xac\x01\x00\x1c", "an Ixia capture", convert},
	{"\xab\x01\x00\x1c", "an Ixia capture", convert},
	{"\x1c\x00\x01\xac", "an Ixia capture", convert},
	{"\x1c\x00\x01\xab", "an Ixia capture", convert},
	{"PK\x03\x04", "a zip archive", extract},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", extract},
	{"Rar!\x1a\x07", "a rar archive", extract},
	{"\x1f\x9d", "a file of Unix compress", extract},
	{"LZIP", "an lzip file", extract},
}

// short ends the opening of a capture whose header is not all there.
func short(what string, have, want int) step {
	return step{kind: Truncated, err: fmt.Errorf("cut short: %d of the %d bytes of the %s: %w", have, want, what, io.ErrUnexpectedEOF)}
}

// tooLong is the error for a capture length above limit, both in bytes.
func tooLong(capLen, limit uint32) error {
	return fmt.Errorf("capture length %d is beyond the limit of %d bytes", capLen, limit)
}

func orderName(big bool) string {
	if big {
		return "big-endian"
	}
	return "little-endian"
}

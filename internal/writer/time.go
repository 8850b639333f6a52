package writer

import "encoding/binary"

// A clock writes times as RFC 3339 text. Those of neighbouring rows are mostly
// in one second, so it keeps the text of the last one.
type clock struct {
	second int64    // since the Unix epoch
	known  bool     // text is that of second
	text   [32]byte // up to the second, and room for the decimals and the Z
}

// append appends a time in ns since the Unix epoch as RFC 3339 text, in UTC and
// with nine decimals. Times of an int64 are in the years 1677 to 2262.
func (c *clock) append(dst []byte, ns int64) []byte {
	second := ns / 1e9
	frac := ns - second*1e9
	if frac < 0 {
		second--
		frac += 1e9
	}
	if !c.known || second != c.second {
		c.second, c.known = second, true
		putSecond(c.text[:], second)
	}
	b, hi := c.text[:], uint64(frac)/1e5
	lo := uint64(frac) - hi*1e5
	put4(b, 20, hi)
	b[24] = byte('0' + lo/1e4)
	put4(b, 25, lo%1e4)
	return append(dst, b[:30]...)
}

// putSecond writes a second since the Unix epoch as RFC 3339 text, 30 bytes,
// and leaves the nine decimals out between the point and the Z.
func putSecond(b []byte, second int64) {
	const perDay = 86_400
	days := second / perDay
	rest := second - days*perDay
	if rest < 0 {
		days--
		rest += perDay
	}
	year, month, day := civil(days)
	sec := uint64(rest)
	put4(b, 0, uint64(year))
	b[4], b[7], b[10], b[13], b[16], b[19] = '-', '-', 'T', ':', ':', '.'
	put2(b, 5, uint64(month))
	put2(b, 8, uint64(day))
	put2(b, 11, sec/3600)
	put2(b, 14, sec/60%60)
	put2(b, 17, sec%60)
	b[29] = 'Z'
}

// civil returns the date of a day, counted from 1970-01-01, in the Gregorian
// calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// civil_from_days).
func civil(days int64) (year, month, day int64) {
	z := days + 719_468 // days since 0000-03-01
	era := z / 146_097
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// A stamp writes times as numbers of ns since the Unix epoch. It keeps the text
// of the last second, which times of neighbouring rows mostly share. Its zero
// value is ready, because it keeps only seconds of ten digits, those from
// 2001-09-09 on.
type stamp struct {
	second uint64 // since the Unix epoch
	first  uint64 // text of its first eight digits
	last   uint16 // and of the other two
}

func (s *stamp) put(b []byte, n int, ns int64) int {
	if ns < 1e18 { // the second has fewer than ten digits
		return putInt(b, n, ns)
	}
	second := uint64(ns) / 1e9
	rest := uint64(ns) - second*1e9
	if second != s.second {
		hi := second / 100
		lo := second - hi*100
		s.second, s.first, s.last = second, eight(hi), uint16(digits[2*lo])|uint16(digits[2*lo+1])<<8
	}
	hi := rest / 10
	store(b, n, s.first)
	binary.LittleEndian.PutUint16(b[n+8:], s.last)
	store(b, n+10, eight(hi))
	b[n+18] = byte('0' + rest - hi*10)
	return n + 19
}

package writer

import "strconv"

// Storage is how an output of typed columns, such as Parquet, keeps a column.
type Storage string

const (
	Uint8     Storage = "uint8"
	Uint16    Storage = "uint16"
	Int64     Storage = "int64"
	Double    Storage = "double"    // the float64 nearest to the decimal of the CSV
	String    Storage = "string"    // UTF-8
	Timestamp Storage = "timestamp" // µs since 1970-01-01T00:00:00Z, rounded down
)

// Storage returns how typed outputs keep c.
func (c *Column) Storage() Storage {
	switch {
	case c.time != nil:
		return Timestamp
	case c.storage != "":
		return c.storage
	case c.Type == Integer:
		return Int64
	case c.Type == Decimal:
		return Double
	}
	return String
}

// Optional reports whether there may be rows without a value in c.
func (c *Column) Optional() bool { return c.needs != 0 || c.position > 0 }

// Field returns where r has Value.Lo of c, whatever it is loaded with; nil if it
// is computed.
func (c *Column) Field(r *Row) *uint64 {
	if c.field == nil {
		return nil
	}
	return c.field(&r.Summary)
}

// Micros returns the value of r in c in µs since the epoch, rounded down.
// Requires: c is kept as a Timestamp.
func (c *Column) Micros(r *Row) int64 {
	ns := c.time(r)
	us := ns / 1000
	if ns%1000 < 0 {
		us--
	}
	return us
}

// mostExact is the largest integer up to which all integers are float64s.
const mostExact = 1 << 53

// Float returns the float64 that is nearest to the decimal text of v. Requires:
// v is a value of c, which is of type Decimal.
func (c *Column) Float(v Value) float64 {
	if v.Hi == 0 && v.Lo <= mostExact { // then one division rounds once
		switch c.Kind {
		case Nanos:
			return float64(v.Lo) / 1e9
		case Halves:
			return float64(v.Lo) / 2
		}
		return float64(v.Lo) / 1e6
	}
	var b [maxCell]byte
	var n int
	switch c.Kind {
	case Nanos:
		n = putNano(b[:], 0, v.Lo)
	case Halves:
		n = putHalves(b[:], 0, v.Hi, v.Lo)
	case Micros:
		n = putMicro(b[:], 0, v.Lo)
	default:
		n = putMicro128(b[:], 0, v.Hi, v.Lo)
	}
	f, _ := strconv.ParseFloat(string(b[:n]), 64) // digits and a point, below 10^39
	return f
}

// AppendAddress appends the text of an address to dst. Requires: v is a value
// of a column of kind Address.
func AppendAddress(dst []byte, v Value) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, maxCell)...)
	return dst[:putAddress(dst, n, v)]
}

// narrow is c kept in fewer bits than an int64.
func (c Column) narrow(s Storage) Column {
	c.storage = s
	return c
}

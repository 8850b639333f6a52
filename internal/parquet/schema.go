package parquet

import (
	"fmt"
	"slices"

	pq "github.com/parquet-go/parquet-go"

	"pcapbatch/internal/writer"
)

// Compression is what the pages of a file are compressed with. It was chosen by
// measurement: see section 9 of ARCHITECTURE.md.
const Compression = "snappy"

// The bytes of a file depend on these numbers, and on nothing else but the rows.
const (
	// groupRows is how many rows a row group has; in a wide table as many as have
	// groupValues values.
	groupRows   = 128 << 10
	groupValues = 4 << 20

	// A column is given mostBatch rows at a time, in a wide table as many as have
	// batchValues values: a power of 2, so that row groups are whole batches.
	mostBatch, leastBatch = 1024, 128
	batchValues           = 64 << 10

	// pageBytes is the size of a page before compression; in a wide table the
	// unfinished pages of all columns have pagesBytes.
	pageBytes, leastPage = 256 << 10, 16 << 10
	pagesBytes           = 8 << 20

	// dictionaryBytes is the size of a dictionary of texts beyond which the
	// following pages of the row group have the texts themselves.
	dictionaryBytes = 512 << 10
)

// Memory is what a Writer uses of memory without a spool, in bytes: unfinished
// pages, dictionaries, and the pages of a row group of typical traffic,
// compressed.
const Memory = 40 << 20

// A shape is how many rows a table with so many columns has in each unit.
type shape struct {
	batch, group int // rows
	page         int // bytes
}

func shapeOf(columns int) shape {
	s := shape{batch: mostBatch, page: max(leastPage, min(pageBytes, pagesBytes/columns))}
	for s.batch > leastBatch && s.batch*columns > batchValues {
		s.batch /= 2
	}
	s.group = max(1, min(groupRows, groupValues/columns)/s.batch) * s.batch
	return s
}

// BatchRows is how many rows of a layout a Formatter puts into a record, and a
// Writer takes best at a time.
func BatchRows(l *writer.Layout) int { return shapeOf(len(l.Dictionary())).batch }

// A column is one of the file.
type column struct {
	writer.Column
	storage  writer.Storage
	optional bool
	number   bool // it has the number of the row, which the Writer knows
	words    int  // where its words are in a record
	levels   int  // where it is said which rows have a value
}

// columnsOf returns the columns of a layout.
func columnsOf(l *writer.Layout) (columns []column) {
	for i, c := range l.Dictionary() {
		columns = append(columns, column{Column: c, storage: c.Storage(), optional: c.Optional(), number: i == 0 && l.Numbered()})
	}
	return columns
}

// node returns the column as a node of the schema.
func (c *column) node() pq.Node {
	var n pq.Node
	switch c.storage {
	case writer.Uint8:
		n = pq.Uint(8)
	case writer.Uint16:
		n = pq.Uint(16)
	case writer.Int64:
		n = pq.Int(64)
	case writer.Double:
		n = pq.Leaf(pq.DoubleType)
	case writer.Timestamp:
		n = pq.Timestamp(pq.Microsecond)
	case writer.String:
		n = pq.String()
		if c.Group != writer.CommunityID { // there is one for each 5-tuple
			n = pq.Encoded(n, &pq.RLEDictionary)
		}
	default:
		panic(fmt.Sprintf("parquet: column %s is kept as %q", c.Name, c.storage))
	}
	if c.optional {
		n = pq.Optional(n)
	}
	return n
}

// ordered is a group whose fields keep the order of the columns.
type ordered struct {
	pq.Group
	fields []pq.Field
}

func (o ordered) Fields() []pq.Field { return o.fields }

// schemaOf returns the schema of a file.
func schemaOf(columns []column) *pq.Schema {
	g, place := pq.Group{}, map[string]int{}
	for i := range columns {
		g[columns[i].Name], place[columns[i].Name] = columns[i].node(), i
	}
	fields := g.Fields()
	slices.SortFunc(fields, func(a, b pq.Field) int { return place[a.Name()] - place[b.Name()] })
	return pq.NewSchema("sessions", ordered{g, fields})
}

package agg

import "reflect"

// An arena is the memory of one table: where chunks come from, how many bytes
// they are, and what has to be given back.
type arena struct {
	bytes    int64    // allocated and not released, resident or not
	region   []byte   // unused rest of the newest region
	mappings [][]byte // all regions, to be unmapped
}

// sizeOf returns the size of a T in bytes.
func sizeOf[T any]() int { return int(reflect.TypeFor[T]().Size()) }

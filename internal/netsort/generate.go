//go:build ignore

// This program writes sort_amd64.s: go run generate.go > sort_amd64.s
//
// The functions that it writes sort 64 or 128 unsigned numbers in the registers
// of AVX-512. They see the numbers as a table: a register is a row of eight
// numbers, so 64 numbers have 8 rows and 128 have 16. Numbers of one column
// stand in the same lane of all registers. Two instructions, minimum and
// maximum, compare a row with another in all eight columns at once, so that
// comparing rows is cheap. Comparing numbers of different columns is dearer: it
// first has to move them into the same lane. Hence the order of the work:
//
//  1. A sorting network over the rows sorts all columns, side by side. The
//     table now holds eight sorted lists, one a column.
//  2. Three rounds of bitonic merges (K. E. Batcher, "Sorting networks and
//     their applications", 1968; Knuth, The Art of Computer Programming, volume
//     3, section 5.3.4) make four lists of two columns each, then two of four,
//     then one of all eight. A list goes down its first column, then down the
//     next.
//  3. The table is transposed, because in memory the numbers of one column have
//     to follow each other, and a register is stored as a row.
//
// A bitonic merge of two lists of n numbers first compares each number with its
// mirror image in the other list: the first of the one with the last of the
// other, the second with the last but one, and so on (mirror). Then no number
// in the first half is above one in the second. Each half is put in order by
// comparing numbers n/2 places apart, then n/4, down to neighbours: numbers of
// different columns while the distance is a column or more (across), and then
// numbers of one column (down).
package main

import (
	"fmt"
	"strings"
)

// lanes is the number of 64-bit numbers in a register.
const lanes = 8

// A program is the assembly of a function that sorts rows * lanes numbers. The
// number that ends up at index i of the sorted list is in lane i / rows of row
// i % rows until store transposes the table. Rows change their registers, since
// a minimum must not overwrite what the maximum still needs.
type program struct {
	rows int
	reg  []int // reg[r] is the number of the register that holds row r
	free []int // registers that hold nothing of use
	text strings.Builder
}

// emit adds an instruction, with its operands in the order of Go's assembler:
// sources first, last to first in Intel's manual, then the destination.
func (p *program) emit(format string, args ...any) { fmt.Fprintf(&p.text, "\t"+format+"\n", args...) }

// note adds a comment.
func (p *program) note(text string) { fmt.Fprintf(&p.text, "\n\t// %s\n", text) }

// take returns a free register, and give gives registers back.
func (p *program) take() int {
	r := p.free[0]
	p.free = p.free[1:]
	return r
}

func (p *program) give(r ...int) { p.free = append(p.free, r...) }

// compare compares two rows lane by lane: the smaller number of each pair goes
// to row a and the larger one to row b.
func (p *program) compare(a, b int) {
	x, y, least := p.reg[a], p.reg[b], p.take()
	p.emit("VPMINUQ Z%d, Z%d, Z%d", y, x, least)
	p.emit("VPMAXUQ Z%d, Z%d, Z%d", y, x, y)
	p.reg[a] = least
	p.give(x)
}

// An exchange moves each number of a row from its lane l to lane l^distance. Of
// two lanes that exchange numbers, that with the larger index is in the mask:
// it belongs to the later column, so it keeps the larger number of a pair.
type exchange struct {
	distance int
	mask     string // a mask register, set at the beginning of the function
	move     string // the instruction that moves, and its first operands
}

var exchanges = map[int]exchange{
	1: {1, "K1", "VPSHUFD $0x4e, "},
	2: {2, "K2", "VPERMQ $0x4e, "},
	3: {3, "K2", "VPERMQ $0x1b, "},
	7: {7, "K3", ""}, // reverses all lanes, by the indices in Z31
}

func (p *program) move(e exchange, from, to int) {
	if e.distance == 7 {
		p.emit("VPERMQ Z%d, Z31, Z%d", from, to)
		return
	}
	p.emit("%sZ%d, Z%d", e.move, from, to)
}

// mirror begins the merges of neighbouring lists: it compares each number with
// its mirror image, which stands in lane l^e.distance of the row that is as far
// from the last as its own is from the first. The row b of a pair is moved
// before it is compared and moved back afterwards.
func (p *program) mirror(e exchange) {
	for a := range p.rows / 2 {
		b := p.rows - 1 - a
		x, y, least, most := p.reg[a], p.reg[b], p.take(), p.take()
		p.move(e, y, most)
		p.emit("VPMINUQ Z%d, Z%d, Z%d", most, x, least)
		p.emit("VPMAXUQ Z%d, Z%d, Z%d", most, x, most)
		p.emit("VPBLENDMQ Z%d, Z%d, %s, Z%d", most, least, e.mask, x)
		p.emit("VPBLENDMQ Z%d, Z%d, %s, Z%d", least, most, e.mask, y)
		p.move(e, y, least)
		p.reg[b] = least
		p.give(most, y)
	}
}

// across compares numbers of one row whose lanes differ by e.distance.
func (p *program) across(e exchange) {
	for a := range p.rows {
		x, other, least := p.reg[a], p.take(), p.take()
		p.move(e, x, other)
		p.emit("VPMINUQ Z%d, Z%d, Z%d", other, x, least)
		p.emit("VPMAXUQ Z%d, Z%d, %s, Z%d", other, x, e.mask, least)
		p.reg[a] = least
		p.give(x, other)
	}
}

// down ends the merges: it compares numbers of one column, at distances of half
// the rows, then a quarter, down to neighbouring rows.
func (p *program) down() {
	for d := p.rows / 2; d > 0; d /= 2 {
		for a := range p.rows {
			if a&d == 0 {
				p.compare(a, a+d)
			}
		}
	}
}

// columns are the sorting networks for 8 and for 16 rows with the fewest
// comparators known: 19, and 60 (M. W. Green). Both are in Knuth, section
// 5.3.4.
var columns = map[int][][2]int{
	8: {
		{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6}, {3, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7},
		{2, 4}, {3, 5}, {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6},
	},
	16: {
		{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}, {10, 11}, {12, 13}, {14, 15},
		{0, 2}, {4, 6}, {8, 10}, {12, 14}, {1, 3}, {5, 7}, {9, 11}, {13, 15},
		{0, 4}, {8, 12}, {1, 5}, {9, 13}, {2, 6}, {10, 14}, {3, 7}, {11, 15},
		{0, 8}, {1, 9}, {2, 10}, {3, 11}, {4, 12}, {5, 13}, {6, 14}, {7, 15},
		{5, 10}, {6, 9}, {3, 12}, {13, 14}, {4, 8}, {7, 11}, {1, 2},
		{1, 4}, {7, 13}, {2, 8}, {11, 14}, {2, 4}, {5, 6}, {9, 10}, {11, 13}, {3, 8}, {7, 12},
		{6, 8}, {10, 12}, {3, 5}, {7, 9}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}, {6, 7}, {8, 9},
	},
}

// store writes the eight rows from first on to memory. It transposes them as a
// square of 8 x 8 numbers, so that a register holds eight numbers of one
// column, and writes these to where their place in the sorted list is. Each of
// three steps joins registers in pairs, first of one row, then of two, then of
// four.
func (p *program) store(first int) {
	pairs := [2][4]int{} // [0]: the even lanes of rows 2i and 2i+1; [1]: the odd ones
	for i := range 4 {
		x, y := p.reg[first+2*i], p.reg[first+2*i+1]
		even, odd := p.take(), p.take()
		p.emit("VPUNPCKLQDQ Z%d, Z%d, Z%d", y, x, even)
		p.emit("VPUNPCKHQDQ Z%d, Z%d, Z%d", y, x, odd)
		pairs[0][i], pairs[1][i] = even, odd
		p.give(x, y)
	}
	for parity, q := range pairs {
		// quads[0] holds rows 0 to 3, quads[1] rows 4 to 7: first their lanes
		// parity and parity+4, then parity+2 and parity+6.
		var quads [2][2]int
		for half := range 2 {
			for k, pick := range []int{0x88, 0xdd} {
				quads[half][k] = p.take()
				p.emit("VSHUFI64X2 $%#x, Z%d, Z%d, Z%d", pick, q[2*half+1], q[2*half], quads[half][k])
			}
			p.give(q[2*half], q[2*half+1])
		}
		for k := range 2 {
			for high, pick := range []int{0x88, 0xdd} {
				all := p.take()
				p.emit("VSHUFI64X2 $%#x, Z%d, Z%d, Z%d", pick, quads[1][k], quads[0][k], all)
				lane := parity + 2*k + 4*high
				p.emit("VMOVDQU64 Z%d, %d(DI)", all, 8*(lane*p.rows+first))
				p.give(all)
			}
			p.give(quads[0][k], quads[1][k])
		}
	}
}

// make writes the whole function. Registers 0 to 30 hold rows and intermediate
// results; Z31 holds the indices that reverse the lanes, and bit l of a mask
// register stands for lane l.
func (p *program) make() {
	for r := range p.rows {
		p.reg = append(p.reg, r)
	}
	for r := p.rows; r < 31; r++ {
		p.free = append(p.free, r)
	}
	p.emit("MOVQ v+0(FP), DI")
	for k, mask := range []int{0xaa, 0xcc, 0xf0} {
		p.emit("MOVL $%#x, AX", mask)
		p.emit("KMOVW AX, K%d", k+1)
	}
	p.emit("VMOVDQU64 backwards<>(SB), Z31")
	for r := range p.rows {
		p.emit("VMOVDQU64 %d(DI), Z%d", 8*lanes*r, r)
	}
	p.note("Sort each column.")
	for _, c := range columns[p.rows] {
		p.compare(c[0], c[1])
	}
	p.note("Merge columns in pairs.")
	p.mirror(exchanges[1])
	p.down()
	p.note("Merge lists of two columns.")
	p.mirror(exchanges[3])
	p.across(exchanges[1])
	p.down()
	p.note("Merge lists of four columns.")
	p.mirror(exchanges[7])
	p.across(exchanges[2])
	p.across(exchanges[1])
	p.down()
	p.note("Transpose and store.")
	for first := 0; first < p.rows; first += 8 {
		p.store(first)
	}
	p.emit("VZEROUPPER")
	p.emit("RET")
}

func main() {
	fmt.Println(`// Code generated by generate.go. DO NOT EDIT.

//go:build !safe

#include "textflag.h"
`)
	for i := range lanes {
		fmt.Printf("DATA backwards<>+%d(SB)/8, $%d\n", 8*i, lanes-1-i)
	}
	fmt.Printf("GLOBL backwards<>(SB), RODATA|NOPTR, $%d\n", 8*lanes)
	for _, rows := range []int{8, 16} {
		p := &program{rows: rows}
		p.make()
		fmt.Printf("\n// func sort%[1]d(v *[%[1]d]uint64)\nTEXT ·sort%[1]d(SB), NOSPLIT, $0-8\n%[2]s", rows*lanes, p.text.String())
	}
}

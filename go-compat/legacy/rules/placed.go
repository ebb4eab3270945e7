package rules

import (
	"cmp"
	"slices"
)

// placed is the treasures, or the caches, of a hunt: at most one a cell, laid
// out once by ascending cell, each taken at most once.
type placed struct {
	cells  []uint32 // y * width + x, ascending
	values []uint32 // a treasure's plain value; a cache's power-up
	taken  []bool
	left   int
}

// find gives the place in the layout of what lies at cell and is not taken.
func (p *placed) find(cell uint32) (int, bool) {
	i, ok := slices.BinarySearch(p.cells, cell)
	return i, ok && !p.taken[i]
}

// within gives, by ascending cell, the places in the layout of at most limit
// things within radius (Chebyshev) of (x, y) that are not taken.
func (p *placed) within(board board, x, y uint16, radius uint32, limit int) []int {
	var found []int
	left, right := board.clampX(int64(x)-int64(radius)), board.clampX(int64(x)+int64(radius))
	top, bottom := board.clampY(int64(y)-int64(radius)), board.clampY(int64(y)+int64(radius))
	for row := top; row <= bottom; row++ {
		last := row*board.width + right
		i, _ := slices.BinarySearch(p.cells, row*board.width+left)
		for ; i < len(p.cells) && p.cells[i] <= last; i++ {
			if p.taken[i] {
				continue
			}
			if len(found) == limit {
				return found
			}
			found = append(found, i)
		}
	}
	return found
}

func (p *placed) take(i int) {
	p.taken[i] = true
	p.left--
}

// board is the cells of a hunt, numbered y * width + x.
type board struct{ width, height uint32 }

func (b board) cells() uint64 { return uint64(b.width) * uint64(b.height) }

func (b board) cell(x, y uint16) uint32 { return uint32(y)*b.width + uint32(x) }

func (b board) place(cell uint32) (x, y uint32) { return cell % b.width, cell / b.width }

func (b board) clampX(x int64) uint32 { return uint32(min(max(x, 0), int64(b.width)-1)) }

func (b board) clampY(y int64) uint32 { return uint32(min(max(y, 0), int64(b.height)-1)) }

// lay places count things as "Creating" says: a cell drawn, moved on to the next
// that is free, then the value drawn.
func lay(board board, count uint32, random *splitMix, value func() uint32) placed {
	type thing struct{ cell, value uint32 }
	things := make([]thing, 0, count)
	occupied := make([]uint64, (board.cells()+63)/64)
	for range count {
		cell := random.below(board.cells())
		for occupied[cell/64]&(1<<(cell%64)) != 0 {
			cell = (cell + 1) % board.cells()
		}
		occupied[cell/64] |= 1 << (cell % 64)
		things = append(things, thing{cell: uint32(cell), value: value()})
	}
	slices.SortFunc(things, func(a, b thing) int { return cmp.Compare(a.cell, b.cell) })
	p := newPlaced(len(things))
	for _, t := range things {
		p.add(t.cell, t.value)
	}
	return p
}

func newPlaced(count int) placed {
	return placed{cells: make([]uint32, 0, count), values: make([]uint32, 0, count), taken: make([]bool, 0, count)}
}

// add appends what lies at a cell above all that are there.
func (p *placed) add(cell, value uint32) {
	p.cells = append(p.cells, cell)
	p.values = append(p.values, value)
	p.taken = append(p.taken, false)
	p.left++
}

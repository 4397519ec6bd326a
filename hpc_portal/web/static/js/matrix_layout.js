// Where the cells of a large matrix lie: a band for each row, its cells wrapped to the width. And what the letters of
// states mean. Pure.

const NAME_WIDTH = 176
const NAME_HEIGHT = 18
const NARROW = 560
const GAP = 6

export const NAMES = { p: 'pass', f: 'fail', n: 'no_verdict', r: 'running', w: 'waiting', x: 'never_ran' }
export const LETTERS = Object.fromEntries(Object.entries(NAMES).map(([letter, name]) => [name, letter]))

// `tasks` by row: the tasks of each row in column order, with the column's number.
export function decode({ rows, columns, blocks, states }) {
  const names = columns.flatMap((one) => (Array.isArray(one) ? numbers(one[0], one[1]) : [one]))
  const letters = new Map()
  const byRow = rows.map((name) => ({ name, cells: [] }))
  const all = [...states.matchAll(/(\d+)(\w)/g)]
  let run = 0
  let left = all.length ? Number(all[0][1]) : 0
  for (const [first, row, column, count] of blocks) {
    for (let step = 0; step < count; step += 1) {
      while (left === 0) left = Number(all[++run][1])
      left -= 1
      letters.set(first + step, all[run][2])
      byRow[row].cells.push({ task: first + step, column: column + step })
    }
  }
  for (const row of byRow) row.cells.sort((a, b) => a.column - b.column)
  return { names, letters, byRow }
}

function numbers(first, last) {
  return Array.from({ length: last - first + 1 }, (_, at) => String(first + at))
}

// Bands from the top down, in pixels; `size` is a cell's pitch.
export function layOut(byRow, width, size) {
  const isNarrow = width < NARROW
  const left = isNarrow ? 0 : NAME_WIDTH
  const perLine = Math.max(1, Math.floor((width - left) / size))
  let top = 0
  const bands = byRow.filter(({ cells }) => cells.length).map(({ name, cells }) => {
    const cellsTop = top + (isNarrow ? NAME_HEIGHT : 0)
    const lines = Math.ceil(cells.length / perLine)
    const band = { name, cells, top, cellsTop, bottom: cellsTop + Math.max(lines * size, isNarrow ? 0 : NAME_HEIGHT) }
    top = band.bottom + GAP
    return band
  })
  return { bands, left, perLine, size, height: top }
}

// The number of the first band that ends below `y`.
export function firstBandBelow(bands, y) {
  let low = 0
  let high = bands.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (bands[middle].bottom <= y) low = middle + 1
    else high = middle
  }
  return low
}

// The cell at a point, as its band and its place there; null beside all of them.
export function cellAt({ bands, left, perLine, size }, x, y) {
  const at = firstBandBelow(bands, y)
  const band = bands[at]
  const across = Math.floor((x - left) / size)
  if (!band || y < band.cellsTop || across < 0 || across >= perLine) return null
  const place = Math.floor((y - band.cellsTop) / size) * perLine + across
  return place < band.cells.length ? { band: at, place } : null
}

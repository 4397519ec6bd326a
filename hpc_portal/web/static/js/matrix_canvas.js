// A matrix of more cells than a browser can hold as a table. Only what is in view is drawn. One tab stop: arrow keys
// move a cursor, N goes to the next task that did not pass, Enter opens its log; a line below says what is there.

import { LETTERS, NAMES, cellAt, decode, firstBandBelow, layOut } from './matrix_layout.js'

const PITCH = 13
const CELL = 11

export function openCanvas(box, found, words, isOnlyFailing) {
  const { names, letters, byRow } = decode(found)
  const scroller = box.querySelector('[data-scroller]')
  const canvas = scroller.querySelector('canvas')
  const spacer = scroller.querySelector('[data-spacer]')
  const told = box.querySelector('output')
  const pen = canvas.getContext('2d')
  let layout = null
  let cursor = { band: 0, place: 0 }
  let colours = {}
  let frame = 0

  if (found.over) rest()
  readColours()
  arrange()
  new ResizeObserver(arrange).observe(scroller)
  scroller.addEventListener('scroll', drawSoon, { passive: true })
  scroller.addEventListener('keydown', onKey)
  scroller.addEventListener('focus', () => tell(cursor))
  scroller.addEventListener('blur', drawSoon)
  canvas.addEventListener('pointermove', (event) => { const at = under(event); canvas.style.cursor = at ? 'pointer' : ''; if (at) tell(at) })
  canvas.addEventListener('click', (event) => { const at = under(event); if (at) open(at) })
  box.querySelector('[data-next-failure]').addEventListener('click', () => { scroller.focus(); nextFailure() })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); drawSoon() })
  box.setAttribute('aria-busy', 'false')
  if (scroller === document.activeElement) tell(cursor)

  function readColours() {
    const style = getComputedStyle(document.documentElement)
    const colour = (name) => style.getPropertyValue(name).trim()
    for (const [letter, name] of Object.entries(NAMES)) {
      const tone = words[name][0]
      colours[letter] = { strong: colour(`--${tone}`), weak: colour(`--${tone}-bg`) }
    }
    colours.text = colour('--tblr-body-color')
    colours.ground = getComputedStyle(box.closest('.card')).backgroundColor
    colours.font = `12px ${colour('--tblr-font-sans-serif')}`
  }

  function arrange() {
    const rows = isOnlyFailing ? byRow.map(({ name, cells }) => ({ name, cells: cells.filter(({ task }) => hasFailed(task)) })) : byRow
    const { clientWidth, clientHeight } = scroller
    const scale = devicePixelRatio || 1
    layout = layOut(rows, clientWidth, PITCH)
    spacer.style.height = `${Math.max(0, layout.height - clientHeight)}px`
    canvas.width = clientWidth * scale
    canvas.height = clientHeight * scale
    canvas.style.width = `${clientWidth}px`
    canvas.style.height = `${clientHeight}px`
    pen.setTransform(scale, 0, 0, scale, 0, 0)
    if (!cellOf(cursor)) cursor = { band: 0, place: 0 }
    draw()
  }

  function drawSoon() {
    frame ||= requestAnimationFrame(() => { frame = 0; draw() })
  }

  function draw() {
    const { bands, left, perLine } = layout
    const top = scroller.scrollTop
    const height = scroller.clientHeight
    pen.clearRect(0, 0, scroller.clientWidth, height)
    pen.font = colours.font
    pen.textBaseline = 'middle'
    for (let at = firstBandBelow(bands, top); at < bands.length && bands[at].top < top + height; at += 1) {
      const band = bands[at]
      pen.fillStyle = colours.text
      pen.fillText(shortened(band.name, left || scroller.clientWidth), 2, (left ? band.cellsTop + CELL / 2 : band.top + 9) - top)
      const from = Math.max(0, Math.floor((top - band.cellsTop) / PITCH)) * perLine
      const to = Math.min(band.cells.length, Math.ceil((top + height - band.cellsTop) / PITCH) * perLine)
      for (let place = from; place < to; place += 1) {
        drawCell(letters.get(band.cells[place].task), ...cornerOf(band, place))
      }
    }
    if (scroller === document.activeElement && cellOf(cursor)) drawCursor()
  }

  function cornerOf(band, place) {
    const { left, perLine } = layout
    return [left + (place % perLine) * PITCH, band.cellsTop + Math.floor(place / perLine) * PITCH - scroller.scrollTop]
  }

  // Told apart by shape as well as by colour.
  function drawCell(letter, x, y) {
    const { strong, weak } = colours[letter]
    pen.fillStyle = letter === 'f' || letter === 'r' ? strong : weak
    pen.fillRect(x, y, CELL, CELL)
    pen.strokeStyle = letter === 'f' ? colours.ground : strong
    pen.lineWidth = 1.5
    pen.beginPath()
    if (letter === 'f') { pen.moveTo(x + 3, y + 3); pen.lineTo(x + 8, y + 8); pen.moveTo(x + 8, y + 3); pen.lineTo(x + 3, y + 8) }
    if (letter === 'p') { pen.moveTo(x + 3, y + 6); pen.lineTo(x + 5, y + 8); pen.lineTo(x + 8, y + 3) }
    if (letter === 'n') pen.arc(x + 5.5, y + 5.5, 2.5, 0, 7)
    if (letter === 'x') { pen.moveTo(x + 3, y + 5.5); pen.lineTo(x + 8, y + 5.5) }
    pen.stroke()
  }

  function drawCursor() {
    const [x, y] = cornerOf(layout.bands[cursor.band], cursor.place)
    pen.strokeStyle = colours.text
    pen.lineWidth = 2
    pen.strokeRect(x - 1, y - 1, CELL + 2, CELL + 2)
  }

  function shortened(name, width) {
    const most = Math.floor((width - 10) / 7)
    return name.length > most ? `${name.slice(0, most - 1)}…` : name
  }

  function hasFailed(task) {
    return letters.get(task) === 'f' || letters.get(task) === 'n'
  }

  function cellOf({ band, place }) {
    return layout.bands[band]?.cells[place]
  }

  function under(event) {
    return cellAt(layout, event.offsetX, event.offsetY + scroller.scrollTop)
  }

  function tell(at) {
    const cell = cellOf(at)
    if (cell) told.textContent = `${layout.bands[at.band].name} ${names[cell.column]}: ${words[NAMES[letters.get(cell.task)]][2]}`
    drawSoon()
  }

  function open(at) {
    location.href = `${box.dataset.task}${cellOf(at).task}`
  }

  function goTo(at) {
    if (!cellOf(at)) return
    cursor = at
    const band = layout.bands[at.band]
    const y = band.cellsTop + Math.floor(at.place / layout.perLine) * PITCH
    const { scrollTop, clientHeight } = scroller
    if (y < scrollTop) scroller.scrollTop = at.place < layout.perLine ? band.top : y
    else if (y + PITCH > scrollTop + clientHeight) scroller.scrollTop = y + PITCH - clientHeight
    tell(at)
  }

  function nextFailure() {
    for (let { band, place } = { ...cursor, place: cursor.place + 1 }; band < layout.bands.length; band += 1, place = 0) {
      const found = layout.bands[band].cells.findIndex(({ task }, at) => at >= place && hasFailed(task))
      if (found >= 0) { goTo({ band, place: found }); return }
    }
  }

  // Up and down go to the line above or below in the same row, and at its edge to the row before or after.
  function vertically(step) {
    const { bands, perLine } = layout
    const place = cursor.place + step * perLine
    const across = cursor.place % perLine
    const here = bands[cursor.band].cells.length
    if (place >= 0 && place < here) return { band: cursor.band, place }
    const band = cursor.band + step
    if (!bands[band]) return cursor
    const last = bands[band].cells.length - 1
    const lastLine = step > 0 ? 0 : Math.floor(last / perLine) * perLine
    return { band, place: Math.min(lastLine + across, last) }
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !cellOf(cursor)) return
    const last = layout.bands[cursor.band].cells.length - 1
    const deeds = {
      ArrowRight: () => goTo({ ...cursor, place: Math.min(cursor.place + 1, last) }),
      ArrowLeft: () => goTo({ ...cursor, place: Math.max(cursor.place - 1, 0) }),
      ArrowDown: () => goTo(vertically(1)),
      ArrowUp: () => goTo(vertically(-1)),
      Home: () => goTo({ ...cursor, place: 0 }),
      End: () => goTo({ ...cursor, place: last }),
      PageDown: () => goTo({ band: Math.min(cursor.band + 10, layout.bands.length - 1), place: 0 }),
      PageUp: () => goTo({ band: Math.max(cursor.band - 10, 0), place: 0 }),
      Enter: () => open(cursor),
      n: nextFailure,
    }
    if (!deeds[event.key]) return
    event.preventDefault()
    deeds[event.key]()
  }

  function show(task, name) {
    const before = letters.get(task)
    if (before === undefined) return false
    if (name === 'running' && before !== 'w') return true
    letters.set(task, LETTERS[name])
    if (isOnlyFailing && hasFailed(task)) arrange()
    else drawSoon()
    return true
  }

  function rest() {
    for (const [task, letter] of letters) if (letter === 'w' || letter === 'r') letters.set(task, 'x')
    if (layout) drawSoon()
  }

  return { show, rest }
}

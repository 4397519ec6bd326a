// The picture of waves: an axis and a row for each signal, drawn anew from what the server cut out.

import { marks, timeText } from './waves_time.js'

export const ROW = 32
export const AXIS = 28
const INSET = 6
const CHARACTER = 7.3
const MARK_WIDTH = 110

export function readColours(box) {
  const style = getComputedStyle(document.documentElement)
  const colour = (name) => style.getPropertyValue(name).trim()
  return {
    text: colour('--tblr-body-color'), dim: colour('--tblr-secondary'), grid: colour('--tblr-border-color'),
    bit: colour('--good'), bits: colour('--run'), often: colour('--run-bg'), x: colour('--bad'), xBack: colour('--bad-bg'),
    z: colour('--wait'), zBack: colour('--wait-bg'), chosen: colour('--off-bg'), cursor: colour('--odd'),
    ground: getComputedStyle(box.closest('.card')).backgroundColor,
    font: `12px ${colour('--tblr-font-monospace')}`,
  }
}

// view: { begin, end, at, selected, rows, scale, width, zoom: [from, to] or null }; a row is a signal as the API tells it.
export function drawWaves(canvas, view, colours) {
  const { width, rows } = view
  const height = AXIS + Math.max(1, rows.length) * ROW
  const pixels = devicePixelRatio || 1
  canvas.width = Math.round(width * pixels)
  canvas.height = Math.round(height * pixels)
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const pen = canvas.getContext('2d')
  pen.setTransform(pixels, 0, 0, pixels, 0, 0)
  pen.clearRect(0, 0, width, height)
  pen.font = colours.font
  pen.textBaseline = 'middle'
  const x = (time) => ((time - view.begin) / (view.end - view.begin)) * width
  if (view.selected < rows.length) fill(pen, colours.chosen, 0, AXIS + view.selected * ROW, width, ROW)
  drawAxis(pen, view, colours, x, height)
  rows.forEach((row, place) => drawRow(pen, row, AXIS + place * ROW, view, colours, x))
  if (view.zoom) {
    pen.globalAlpha = 0.3
    fill(pen, colours.cursor, x(Math.min(...view.zoom)), AXIS, Math.abs(x(view.zoom[1]) - x(view.zoom[0])), height - AXIS)
    pen.globalAlpha = 1
  }
  line(pen, colours.cursor, 1.5, [[x(view.at), 0], [x(view.at), height]])
}

function drawAxis(pen, view, colours, x, height) {
  for (const time of marks(view.begin, view.end, view.width / MARK_WIDTH)) {
    const left = Math.round(x(time)) + 0.5
    line(pen, colours.grid, 1, [[left, AXIS - 6], [left, height]])
    const text = timeText(time, view.scale)
    pen.fillStyle = colours.dim
    const room = view.width - pen.measureText(text).width - 2
    pen.fillText(text, Math.max(2, Math.min(left + 4, room)), AXIS / 2)
  }
  line(pen, colours.grid, 1, [[0, AXIS - 0.5], [view.width, AXIS - 0.5]])
}

function drawRow(pen, row, top, view, colours, x) {
  const bottom = top + ROW - INSET
  const upper = top + INSET
  line(pen, colours.grid, 1, [[0, top + ROW - 0.5], [view.width, top + ROW - 0.5]])
  let before = null
  row.points.forEach(([time, text, state], place) => {
    const until = row.points[place + 1]?.[0] ?? Infinity
    const left = Math.max(-1, x(time))
    const right = Math.min(view.width + 1, until === Infinity ? view.width + 1 : x(until))
    if (right >= 0 && left <= view.width) {
      const part = { left, right, upper, bottom, text, state, before, isFirst: time <= view.begin }
      if (text === null) drawOften(pen, part, colours)
      else if (row.kind === 'event') drawEvent(pen, part, colours)
      else if (row.kind === 'bit') drawBit(pen, part, colours)
      else drawValue(pen, part, colours)
    }
    before = text === null ? null : text
  })
}

function drawOften(pen, { left, right, upper, bottom }, colours) {
  fill(pen, colours.often, left, upper, Math.max(1, right - left), bottom - upper)
  line(pen, colours.bits, 1, [[left, upper], [right, upper]])
  line(pen, colours.bits, 1, [[left, bottom], [right, bottom]])
}

function drawEvent(pen, { left, upper, bottom, isFirst }, colours) {
  if (isFirst) return
  line(pen, colours.bit, 1.5, [[left, bottom], [left, upper]])
  line(pen, colours.bit, 1.5, [[left - 3, upper + 4], [left, upper], [left + 3, upper + 4]])
}

function drawBit(pen, { left, right, upper, bottom, text, state, before, isFirst }, colours) {
  const middle = (upper + bottom) / 2
  const heights = { 0: bottom, 1: upper }
  const y = heights[text] ?? middle
  if (state === 'x') {
    fill(pen, colours.xBack, left, upper, right - left, bottom - upper)
    pen.strokeStyle = colours.x
    pen.strokeRect(left, upper, right - left, bottom - upper)
    return
  }
  const colour = state === 'z' ? colours.z : colours.bit
  if (text === '1') { pen.globalAlpha = 0.12; fill(pen, colour, left, upper, right - left, bottom - upper); pen.globalAlpha = 1 }
  const from = before === null || isFirst ? y : heights[before] ?? middle
  line(pen, colour, 1.5, [[left, from], [left, y], [right, y]])
}

// A bus: two lines that cross where the value changes, and the value between them where it fits.
function drawValue(pen, { left, right, upper, bottom, text, state }, colours) {
  const middle = (upper + bottom) / 2
  const slope = Math.min(3, (right - left) / 2)
  const colour = state === 'x' ? colours.x : state === 'z' ? colours.z : colours.bits
  pen.beginPath()
  pen.moveTo(left, middle)
  pen.lineTo(left + slope, upper)
  pen.lineTo(right - slope, upper)
  pen.lineTo(right, middle)
  pen.lineTo(right - slope, bottom)
  pen.lineTo(left + slope, bottom)
  pen.closePath()
  if (state) { pen.fillStyle = state === 'x' ? colours.xBack : colours.zBack; pen.fill() }
  pen.strokeStyle = colour
  pen.lineWidth = 1.25
  pen.stroke()
  const from = Math.max(left, 0) + 6
  const most = Math.floor((right - from - 4) / CHARACTER)
  const fits = text.length > most ? text.replace(/^0+(?=[^.])/, '') : text // zeros in front go first
  if (most < Math.min(2, fits.length)) return
  pen.fillStyle = state ? colour : colours.text
  pen.fillText(fits.length > most ? `${fits.slice(0, most - 1)}…` : fits, from, middle + 0.5)
}

function fill(pen, colour, left, top, width, height) {
  pen.fillStyle = colour
  pen.fillRect(left, top, width, height)
}

function line(pen, colour, width, points) {
  pen.strokeStyle = colour
  pen.lineWidth = width
  pen.beginPath()
  points.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)))
  pen.stroke()
}

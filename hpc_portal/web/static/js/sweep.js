// A sweep: parallel coordinates with a brush on each axis, linked to the table below. Choosing works by dragging on the
// canvas and by the fields under it alike; both end in the same ranges.

import { fractionOf, scalesOf, valueAt } from './sweep_scale.js'

const TOP = 28
const BOTTOM = 16
const SIDE = 56
const NARROWEST = 96
const HEIGHT = 300
const TOUCH = 18

const page = document.querySelector('[data-sweep-page]')
const box = page.querySelector('.parallel')
let sweep = null
let scales = []
let ranges = [] // by axis: [low, high] as fractions of it, or null for all
let fractions = new Map() // by trial: a place on each axis, null where it has no value
let marked = null
let drag = null
let isBound = false

open()
document.addEventListener('refreshed', ({ target }) => { if (target.dataset.part === 'trials') open() })

function open() {
  const data = page.querySelector('[data-sweep]')
  if (!data) return // no trial has begun
  page.querySelector('[data-chart]').hidden = false
  sweep = JSON.parse(data.dataset.sweep)
  scales = scalesOf(sweep)
  fractions = new Map(sweep.trials.map(({ task, values }) => [task, values.map((value, at) => fractionOf(scales[at], value))]))
  if (ranges.length !== scales.length) ranges = scales.map(() => null)
  if (!isBound) bind()
  choose()
}

function bind() {
  isBound = true
  const canvas = box.querySelector('canvas')
  new ResizeObserver(draw).observe(box)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  canvas.addEventListener('pointerdown', (event) => {
    const at = axisUnder(event.offsetX)
    if (at < 0) return
    event.preventDefault()
    canvas.setPointerCapture(event.pointerId)
    drag = { at, from: shareOf(event.offsetY), hasMoved: false }
  })
  canvas.addEventListener('pointermove', (event) => {
    canvas.style.cursor = axisUnder(event.offsetX) < 0 ? '' : 'ns-resize'
    if (!drag) return
    const to = shareOf(event.offsetY)
    drag.hasMoved ||= Math.abs(to - drag.from) > 0.02
    if (drag.hasMoved) setRange(drag.at, [Math.min(drag.from, to), Math.max(drag.from, to)])
  })
  canvas.addEventListener('pointerup', () => {
    if (drag && !drag.hasMoved) setRange(drag.at, null)
    drag = null
  })
  page.querySelector('[data-choose-all]').addEventListener('click', () => { ranges = scales.map(() => null); fillFields(); choose() })
  for (const set of page.querySelectorAll('[data-axis]')) set.addEventListener('input', () => readFields(set))
  for (const name of ['pointerover', 'focusin']) page.addEventListener(name, ({ target }) => mark(target.closest('[data-trial]')))
  for (const name of ['pointerleave', 'focusout']) page.addEventListener(name, () => mark(null))
}

function mark(row) {
  const task = row ? Number(row.dataset.trial) : null
  if (task === marked) return
  marked = task
  draw()
}

function setRange(at, range) {
  ranges[at] = range
  fillFields()
  choose()
}

function fillFields() {
  for (const set of page.querySelectorAll('[data-axis]')) {
    const at = Number(set.dataset.axis)
    const choice = set.querySelector('[data-choice]')
    if (choice) {
      const inside = scales[at].choices.filter((name) => isWithin(ranges[at], fractionOf(scales[at], name)))
      choice.value = ranges[at] && inside.length === 1 ? inside[0] : ''
      continue
    }
    const [low, high] = ranges[at] ?? []
    set.querySelector('[data-low]').value = low === undefined ? '' : Number(valueAt(scales[at], low).toPrecision(4))
    set.querySelector('[data-high]').value = high === undefined ? '' : Number(valueAt(scales[at], high).toPrecision(4))
  }
}

function readFields(set) {
  const at = Number(set.dataset.axis)
  const choice = set.querySelector('[data-choice]')
  if (choice) {
    const place = choice.value && fractionOf(scales[at], choice.value)
    ranges[at] = choice.value ? [place - 0.001, place + 0.001] : null
  } else {
    const low = set.querySelector('[data-low]').value
    const high = set.querySelector('[data-high]').value
    const place = (text, otherwise) => (text === '' ? otherwise : fractionOf(scales[at], Number(text)) ?? otherwise)
    ranges[at] = low === '' && high === '' ? null : [place(low, -Infinity), place(high, Infinity)]
  }
  choose()
}

function isWithin(range, place) {
  return !range || (place !== null && place >= range[0] - 1e-9 && place <= range[1] + 1e-9)
}

function isChosen(task) {
  return fractions.get(task).every((place, at) => isWithin(ranges[at], place))
}

function rows() {
  return page.querySelectorAll('[data-trial]')
}

function choose() {
  let shown = 0
  for (const row of rows()) {
    row.hidden = !isChosen(Number(row.dataset.trial))
    shown += !row.hidden
  }
  const told = page.querySelector('[data-chosen]')
  told.textContent = told.dataset.text.replace('{shown}', shown).replace('{all}', fractions.size)
  draw()
}

function spacing() {
  return Math.max(NARROWEST, (box.clientWidth - 2 * SIDE) / Math.max(1, scales.length - 1))
}

function axisUnder(x) {
  const at = Math.round((x - SIDE) / spacing())
  return at >= 0 && at < scales.length && Math.abs(x - SIDE - at * spacing()) < TOUCH ? at : -1
}

function shareOf(y) {
  return Math.min(1, Math.max(0, 1 - (y - TOP) / (HEIGHT - TOP - BOTTOM)))
}

function yOf(share) {
  return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
}

function draw() {
  const canvas = box.querySelector('canvas')
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const scale = devicePixelRatio || 1
  const width = Math.max(box.clientWidth, 2 * SIDE + spacing() * (scales.length - 1))
  canvas.width = width * scale
  canvas.height = HEIGHT * scale
  canvas.style.width = `${width}px`
  canvas.style.height = `${HEIGHT}px`
  const pen = canvas.getContext('2d')
  pen.scale(scale, scale)
  const tasks = [...fractions.keys()]
  const best = sweep.trials[0]?.values.at(-1) === null ? null : sweep.trials[0]?.task
  for (const task of tasks) if (!isChosen(task)) drawLine(pen, task, colour('--tblr-border-color'), 1, 0.6)
  for (const task of tasks.reverse()) { // the best comes last, on top
    if (!isChosen(task)) continue
    const place = fractions.get(task).at(-1) ?? 0
    drawLine(pen, task, colour('--run'), 1.5, 0.25 + 0.75 * (sweep.maximized ? place : 1 - place))
  }
  if (best != null && isChosen(best)) drawLine(pen, best, colour('--good'), 3, 1)
  if (fractions.has(marked)) drawLine(pen, marked, colour('--late'), 3, 1)
  scales.forEach((one, at) => drawAxis(pen, one, at, colour))
}

function drawLine(pen, task, colour, width, strength) {
  pen.strokeStyle = colour
  pen.lineWidth = width
  pen.globalAlpha = strength
  pen.beginPath()
  let isDown = false
  fractions.get(task).forEach((place, at) => {
    if (place === null) { isDown = false; return }
    pen[isDown ? 'lineTo' : 'moveTo'](SIDE + at * spacing(), yOf(place))
    isDown = true
  })
  pen.stroke()
  pen.globalAlpha = 1
}

function drawAxis(pen, scale, at, colour) {
  const x = SIDE + at * spacing()
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 3 })
  pen.strokeStyle = colour('--tblr-secondary')
  pen.lineWidth = 1
  pen.beginPath()
  pen.moveTo(x, yOf(1))
  pen.lineTo(x, yOf(0))
  pen.stroke()
  if (ranges[at]) {
    const [low, high] = ranges[at].map((share) => Math.min(1, Math.max(0, share)))
    pen.fillStyle = colour('--run')
    pen.globalAlpha = 0.35
    pen.fillRect(x - 6, yOf(high) - 1, 12, yOf(low) - yOf(high) + 2)
    pen.globalAlpha = 1
  }
  const font = colour('--tblr-font-sans-serif')
  pen.strokeStyle = colour('--tblr-bg-surface') // around every text, which lines of trials run through
  pen.lineJoin = 'round'
  pen.lineWidth = 4
  pen.fillStyle = colour('--tblr-body-color')
  pen.textAlign = 'center'
  pen.font = `600 12px ${font}`
  pen.fillText(scale.name.length > 16 ? `${scale.name.slice(0, 15)}…` : scale.name, x, 12, spacing() - 8)
  pen.font = `11px ${font}`
  pen.textAlign = 'left'
  pen.fillStyle = colour('--tblr-secondary')
  const ticks = scale.choices.length ? scale.choices.map((name) => [fractionOf(scale, name), name])
    : [0, 0.25, 0.5, 0.75, 1].map((share) => [share, number.format(valueAt(scale, share))])
  for (const [share, text] of ticks.slice(0, 24)) {
    const place = [x + 5, yOf(share) + (share === 1 ? 10 : -3), 50]
    pen.strokeText(text, ...place)
    pen.fillText(text, ...place)
  }
}

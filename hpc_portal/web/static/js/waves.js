// The page of a waveform. What is shown stands in the address; the server cuts out what a window of time needs.

import { drawWaves, readColours } from './waves_canvas.js'
import { listenToCanvas } from './waves_hands.js'
import { showNames, showValues } from './waves_rows.js'
import { timeText } from './waves_time.js'
import { openTree } from './waves_tree.js'

const PAUSE = 60
const MOST_SIGNALS = 64
const MOST_PIXELS = 2048
const RADIXES = ['hex', 'dec', 'sgn', 'bin']

const box = document.querySelector('[data-waves]')
const told = box.dataset
const canvas = box.querySelector('canvas')
const frame = box.querySelector('[data-canvas]')
const names = box.querySelector('[data-names]')
const say = box.querySelector('[data-say]')
const radix = box.querySelector('[data-radix]')
const values = document.querySelector('[data-values]')
const scale = { factor: told.factor, unit: told.unit }
const last = Number(told.end)
const state = { begin: Number(told.begin), end: Number(told.stop), at: Number(told.at), selected: 0, zoom: null }
let rows = JSON.parse(told.signals).map(emptyRow)
let colours = {}
let timer = 0
let painting = 0
let asking = null
let isProblem = false
let drawnWidth = 0

for (const part of document.querySelectorAll('[data-without-script]')) part.remove()
box.hidden = false
if (matchMedia('(max-width: 820px)').matches) box.querySelector('details').open = false
colours = readColours(box)
openTree(box.querySelector('.waves-tree'), told, ask, addSignal)
listenToCanvas(canvas, { state, rows: () => rows, width, deeds: { pan, zoom, show, setCursor, step, select, move, remove, turnRadix, toEnd, draw } })
new ResizeObserver(() => { if (width() !== drawnWidth) { drawnWidth = width(); draw(); readSoon() } }).observe(frame)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { colours = readColours(box); draw() })
radix.addEventListener('change', () => setRadix(radix.value))
const DEEDS = {
  in: () => zoom(0.5), out: () => zoom(2), all: () => show(0, last), left: () => pan(-0.5), right: () => pan(0.5),
  previous: () => step(-1), next: () => step(1), up: () => move(-1), down: () => move(1), remove,
}
for (const button of box.querySelectorAll('[data-do]')) button.addEventListener('click', DEEDS[button.dataset.do])

function emptyRow(address) {
  const [, form, name] = address.match(/^(hex|dec|sgn|bin):(.*)$/s) ?? [null, 'hex', address]
  return { address, name, label: name, radix: form, kind: '', points: [], value: null, state: '', since: null, until: null, isRead: false }
}

function addressOf(name, form) {
  return form === 'hex' && !/^(hex|dec|sgn|bin):/.test(name) ? name : `${form}:${name}`
}

function width() {
  return Math.max(80, frame.clientWidth)
}

// GET of the API; null where it failed, which is said.
async function ask(what, query, signal = undefined) {
  const search = new URLSearchParams({ path: told.path })
  for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) search.append(name, one)
  try {
    const response = await fetch(`${told.api}/${what}?${search}`, { signal, headers: { accept: 'application/json' } })
    if (response.ok) return await response.json()
    const problem = await response.json().catch(() => ({}))
    tell(problem.detail ?? told.failed, true)
  } catch (error) {
    if (error.name !== 'AbortError') tell(told.failed, true)
  }
  return null
}

function tell(text, asProblem = false) {
  say.textContent = text
  isProblem = asProblem
}

function readSoon(pause = PAUSE) {
  clearTimeout(timer)
  timer = setTimeout(read, pause)
}

// Half a window more on each side, so that moving shows something before the next answer.
async function read() {
  asking?.abort()
  asking = new AbortController()
  keepAddress()
  if (!rows.length) { refresh(); return }
  const margin = Math.round((state.end - state.begin) / 2)
  const [t0, t1] = [Math.max(0, state.begin - margin), Math.min(last, state.end + margin)]
  const px = Math.min(MOST_PIXELS, Math.ceil((width() * (t1 - t0)) / (state.end - state.begin)))
  const found = await ask('window', { signals: rows.map(({ address }) => address), t0, t1, px, at: state.at }, asking.signal)
  if (!found || found.signals.length !== rows.length) return
  if (isProblem) tell('')
  rows = found.signals.map((one, place) => ({ ...one, address: rows[place].address, isRead: true }))
  refresh()
}

function refresh() {
  draw()
  showNames(names, rows, state.selected, told, select)
  showValues(values, rows, scale, told, setCursor)
  const time = timeText(state.at, scale)
  box.querySelector('[data-cursor]').textContent = time
  document.querySelector('[data-cursor-time]').textContent = time
  canvas.setAttribute('aria-label', told.label.replace('{count}', rows.length).replace('{from}', timeText(state.begin, scale)).replace('{to}', timeText(state.end, scale)))
  radix.value = rows[state.selected]?.radix ?? 'hex'
  radix.disabled = !rows.length
}

function draw() {
  painting ||= requestAnimationFrame(() => { painting = 0; drawWaves(canvas, { ...state, rows, scale, width: width() }, colours) })
}

function keepAddress() {
  const search = new URLSearchParams({ path: told.path, t0: state.begin, t1: state.end, at: state.at })
  for (const { address } of rows) search.append('signals', address)
  history.replaceState(history.state, '', `${told.page}?${search}`)
}

function show(begin, end) {
  const span = Math.max(2, Math.min(Math.round(end - begin), last))
  state.begin = Math.max(0, Math.min(Math.round(begin), last - span))
  state.end = Math.max(state.begin + 1, Math.min(state.begin + span, last))
  draw()
  readSoon()
}

function zoom(factor, around = null) {
  const { begin, end, at } = state
  const fixed = around ?? (at >= begin && at <= end ? at : (begin + end) / 2)
  show(fixed - (fixed - begin) * factor, fixed + (end - fixed) * factor)
}

function pan(share) {
  const by = (state.end - state.begin) * share
  show(state.begin + by, state.end + by)
}

function setCursor(time) {
  tell('')
  state.at = Math.max(0, Math.min(Math.round(time), last))
  const span = state.end - state.begin
  if (state.at < state.begin || state.at > state.end) show(state.at - span / 2, state.at + span / 2)
  draw()
  readSoon(0)
}

function toEnd(isLast) {
  setCursor(isLast ? last : 0)
}

// To the change of the selected signal before or after the cursor, wherever in the file it is.
async function step(direction) {
  const row = rows[state.selected]
  if (!row) return
  const look = (at) => ask('window', { signals: row.address, t0: 0, t1: 1, px: 1, at }).then((found) => found?.signals[0])
  let here = await look(state.at)
  if (direction < 0 && here?.since === state.at && state.at > 0) here = await look(state.at - 1)
  const time = direction < 0 ? here?.since : here?.until
  if (time === null || time === undefined) return
  setCursor(time)
  const there = await look(time)
  if (!there || state.at !== time) return
  tell(told.said.replace('{name}', row.label).replace('{time}', timeText(time, scale)).replace('{value}', there.value ?? told.before))
}

function select(place) {
  if (!rows[place]) return
  state.selected = place
  refresh()
}

function move(direction) {
  const [from, to] = [state.selected, state.selected + direction]
  if (!rows[from] || !rows[to]) return
  ;[rows[from], rows[to]] = [rows[to], rows[from]]
  state.selected = to
  keepAddress()
  refresh()
}

function remove() {
  rows.splice(state.selected, 1)
  state.selected = Math.max(0, Math.min(state.selected, rows.length - 1))
  readSoon(0)
  refresh()
}

function addSignal(name) {
  if (rows.length >= MOST_SIGNALS) { tell(told.full.replace('{count}', MOST_SIGNALS), true); return }
  rows.push(emptyRow(addressOf(name, 'hex')))
  state.selected = rows.length - 1
  refresh()
  readSoon(0)
}

function setRadix(form) {
  const row = rows[state.selected]
  if (!row) return
  rows[state.selected] = { ...row, radix: form, address: addressOf(row.name, form) }
  readSoon(0)
}

function turnRadix() {
  const form = rows[state.selected]?.radix
  if (form) setRadix(RADIXES[(RADIXES.indexOf(form) + 1) % RADIXES.length])
}

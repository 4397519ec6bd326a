// One run of a campaign: its matrix, as a table or on a canvas. While it goes on, new verdicts are patched into the
// cells several times a second at most, the parts around them once a second; the matrix itself is sent once.

import { showSign } from './refresh.js'
import { openTable } from './matrix_table.js'
import { openCanvas } from './matrix_canvas.js'

const CELLS_PAUSE = 300
const PARTS_PAUSE = 1000

const root = document.querySelector('[data-campaign]')
const { campaign, run, only } = root.dataset
const words = JSON.parse(root.dataset.words)
let view = null
let after = Number(root.dataset.after)
let hasNews = false // a task did not pass and has no cell: this table shows only those that did not
const patchCellsSoon = paced(patchCells, CELLS_PAUSE)
const patchPartsSoon = paced(patchParts, PARTS_PAUSE)

start()

async function start() {
  const box = document.querySelector('[data-matrix]')
  if (box?.dataset.matrix === 'canvas') {
    const response = await fetch(`${campaign}/matrix?run=${run}`)
    if (!response.ok) return
    const found = await response.json()
    after = found.after
    view = openCanvas(box, found, words, only === 'failing')
  } else if (box) view = openTable(box, words)
  for (const name of ['job', 'resync', 'open']) document.addEventListener(`live:${name}`, noteChange)
  if (root.dataset.isLive) noteChange() // for what happened while the matrix came
}

function noteChange() {
  patchCellsSoon()
  patchPartsSoon()
}

// Runs `work` at once, then again at most every `pause` milliseconds while it is asked for.
function paced(work, pause) {
  let isBusy = false
  let again = false
  return async function ask() {
    if (isBusy) { again = true; return }
    isBusy = true
    again = false
    await work().catch(() => {}) // the next event, or the reopened stream, asks again
    setTimeout(() => { isBusy = false; if (again) ask() }, pause)
  }
}

async function patchCells() {
  const response = await fetch(`${campaign}/changes?run=${run}&after=${after}`)
  if (!response.ok) return
  const found = await response.json()
  after = found.after
  for (const task of found.running) view?.show(task, 'running')
  for (const [verdict, tasks] of Object.entries(found.verdicts)) {
    for (const task of tasks) if (!view?.show(task, verdict) && verdict !== 'pass') hasNews = true
  }
  if (found.over) {
    view?.rest()
    for (const name of ['job', 'resync', 'open']) document.removeEventListener(`live:${name}`, noteChange)
    document.querySelector('.live').hidden = true // nothing more will happen
    patchPartsSoon()
  }
}

async function patchParts() {
  const isWhole = hasNews && only === 'failing'
  hasNews = false
  const response = await fetch(`${campaign}?run=${run}${only ? `&only=${only}` : ''}${isWhole ? '' : '&part=head'}`, { headers: { 'HX-Request': 'true' } })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
  showSign(fresh)
  for (const part of document.querySelectorAll('[data-part]')) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`)
    if (!next || next.innerHTML === part.innerHTML || part.contains(document.activeElement)) continue
    if ('once' in part.dataset && part.childElementCount) continue // a form keeps what was chosen in it
    part.replaceChildren(...next.childNodes)
    part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }))
    if (part.dataset.part === 'matrix') {
      const box = part.querySelector('[data-matrix="table"]')
      view = box && openTable(box, words)
    }
  }
}

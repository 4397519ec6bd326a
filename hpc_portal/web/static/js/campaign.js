// One run of a campaign: new verdicts are patched into the cells, the parts around them are fetched again, at most
// once a second. The matrix itself is sent once.

import { openStream } from './sse.js'
import { showLive } from './app.js'

const root = document.querySelector('[data-campaign]')
const words = JSON.parse(root.dataset.words)
const cells = new Map([...document.querySelectorAll('[data-task]')].map((cell) => [Number(cell.dataset.task), cell]))
let after = Number(root.dataset.after)
let timer = 0
let again = false

openStream(() => root.dataset.stream, { job: soon, resync: soon }, noteStatus)

function noteStatus(status) {
  showLive(status)
  if (status === 'live') soon() // for what happened after the page was made, or while nobody listened
}

function soon() {
  if (timer) { again = true; return }
  timer = setTimeout(refresh, 250)
}

async function refresh() {
  await Promise.all([patchCells(), patchParts()]).catch(() => {})
  timer = setTimeout(() => { timer = 0; if (again) { again = false; soon() } }, 750)
}

async function patchCells() {
  const { campaign, run } = root.dataset
  const response = await fetch(`${campaign}/changes?run=${run}&after=${after}`)
  if (!response.ok) return
  const found = await response.json()
  after = found.after
  for (const task of found.running) show(task, 'running')
  for (const [task, verdict] of Object.entries(found.verdicts)) show(Number(task), verdict)
}

function show(task, name) {
  const cell = cells.get(task)
  const [tone, mark, text] = words[name]
  if (!cell || cell.textContent === mark) return
  cell.className = `cell tone-${tone}`
  cell.textContent = mark
  cell.setAttribute('aria-label', cell.getAttribute('aria-label').replace(/: [^:]*$/, `: ${text}`))
}

async function patchParts() {
  const { campaign, run } = root.dataset
  const response = await fetch(`${campaign}?run=${run}&part=head`, { headers: { 'HX-Request': 'true' } })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
  for (const part of document.querySelectorAll('[data-part]')) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`)
    if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
      part.replaceChildren(...next.childNodes)
    }
  }
}

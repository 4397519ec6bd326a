// Live states: when jobs on this page change, their cells are fetched and patched, at most once a second.
// Rows keep their place, ticked boxes and focus; only cells whose text changed are touched.

import { openStream } from './sse.js'
import { showLive } from './app.js'

const root = document.querySelector('[data-stream]')
const changed = new Set()
let timer = 0

openStream(() => root.dataset.stream, { job: noteChange, resync: noteAll }, noteStatus)

function noteStatus(status) {
  showLive(status)
  if (status === 'live') noteAll() // for what happened after the page was made, or while nobody listened
}

function noteChange(event) {
  const { job_id } = JSON.parse(event.data)
  if (!row(job_id)) return
  changed.add(job_id)
  soon()
}

function noteAll() {
  for (const one of document.querySelectorAll('[data-job]')) changed.add(one.dataset.job)
  soon()
}

function soon() {
  timer ||= setTimeout(fetchRows, 250)
}

async function fetchRows() {
  const ids = [...changed]
  changed.clear()
  if (ids.length) await patch(ids).catch(() => { for (const id of ids) changed.add(id) })
  timer = setTimeout(() => { timer = 0; if (changed.size) soon() }, 750)
}

async function patch(ids) {
  const response = await fetch(`/jobs/rows?${ids.map((id) => `id=${id}`).join('&')}`, { headers: { 'HX-Request': 'true' } })
  if (!response.ok) throw new Error(response.statusText)
  const table = document.createElement('template')
  table.innerHTML = `<table><tbody>${await response.text()}</tbody></table>`
  for (const fresh of table.content.querySelectorAll('[data-job]')) {
    const old = row(fresh.dataset.job)
    for (const cell of fresh.querySelectorAll('[data-cell]')) {
      const place = old?.querySelector(`[data-cell="${cell.dataset.cell}"]`)
      if (place && place.innerHTML !== cell.innerHTML) place.replaceChildren(...cell.childNodes)
    }
  }
}

function row(id) {
  return document.querySelector(`[data-job="${CSS.escape(id)}"]`)
}

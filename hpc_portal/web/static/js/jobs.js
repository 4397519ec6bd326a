// The list of jobs: when some on this page change, their cells are fetched and patched, at most once a second. Rows
// keep their place, ticked boxes and focus; jobs that are new are only told of.

import { morph } from './morph.js'

const PAUSE = 750
const changed = new Set()
let timer = 0

document.addEventListener('live:job', (event) => noteChange(event.detail))
for (const name of ['open', 'resync']) document.addEventListener(`live:${name}`, noteAll)

document.addEventListener('acted', noteAll)

function noteChange({ job_id, kind }) {
  if (!row(job_id)) {
    if (kind === 'job.submitted') document.querySelector('[data-newer]')?.removeAttribute('hidden')
    return
  }
  patchSoon([job_id])
}

function noteAll() {
  patchSoon([...document.querySelectorAll('[data-job]')].map((one) => one.dataset.job))
}

export function patchSoon(ids) {
  for (const id of ids) changed.add(id)
  timer ||= setTimeout(fetchRows, 20)
}

async function fetchRows() {
  const ids = [...changed].slice(0, 100)
  for (const id of ids) changed.delete(id)
  if (ids.length) await patch(ids).catch(() => { for (const id of ids) changed.add(id) })
  timer = setTimeout(() => { timer = 0; if (changed.size) patchSoon([]) }, PAUSE)
}

async function patch(ids) {
  const response = await fetch(`/jobs/rows?${ids.map((id) => `id=${id}`).join('&')}`, { headers: { 'HX-Request': 'true' } })
  if (!response.ok) throw new Error(response.statusText)
  const table = document.createElement('template')
  table.innerHTML = `<table><tbody>${await response.text()}</tbody></table>`
  for (const fresh of table.content.querySelectorAll('[data-job]')) {
    const old = row(fresh.dataset.job)
    if (old) morph(old, fresh)
  }
  document.dispatchEvent(new CustomEvent('refreshed'))
}

export function row(id) {
  return document.querySelector(`[data-job="${CSS.escape(id)}"]`)
}

// One job: its head and the open tab are fetched again when the job changes, at most once a second.

import { openStream } from './sse.js'
import { showLive } from './app.js'

const root = document.querySelector('[data-stream]')
let timer = 0
let again = false

if (root) openStream(() => root.dataset.stream, { job: noteChange, resync: soon }, noteStatus)

function noteStatus(status) {
  showLive(status)
  if (status === 'live') soon() // for what happened after the page was made, or while nobody listened
}

function noteChange(event) {
  if (JSON.parse(event.data).job_id === root.dataset.job) soon()
}

function soon() {
  if (timer) { again = true; return }
  timer = setTimeout(refresh, 250)
}

async function refresh() {
  // Not location.href: a form that was refused is shown at the address it was posted to.
  const response = await fetch(root.dataset.page + location.search, { headers: { 'HX-Request': 'true' } }).catch(() => null)
  if (response?.ok) {
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    for (const part of document.querySelectorAll('[data-part]')) {
      const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`)
      if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
        part.replaceChildren(...next.childNodes)
        part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }))
      }
    }
    const title = fresh.querySelector('title')
    if (title) document.title = title.textContent
  }
  timer = setTimeout(() => { timer = 0; if (again) { again = false; soon() } }, 750)
}

// A page that shows states asks for itself again when the stream tells that one changed, and morphs the parts of it
// that are marked with `data-part`. At once, then at most every `PAUSE` milliseconds.
// `data-refresh` names the events; `data-slowly` those that may wait, so that a thousand open pages are no burden.
// What a running job has measured is in its files, of which no event tells: a page with a part that has `data-every`
// asks for itself again after so many seconds, too, while somebody looks at it.

import { morph, morphChildren } from './morph.js'

const PAUSE = 750
const SLOWLY = 20_000
const root = document.querySelector('[data-refresh]')
let timer = 0
let again = false
let late = 0
let next = 0

if (root) {
  lookAgainLater()
  for (const name of ['open', 'resync', ...root.dataset.refresh.split(' ')]) document.addEventListener(`live:${name}`, hear)
  for (const name of (root.dataset.slowly ?? '').split(' ').filter(Boolean)) document.addEventListener(`live:${name}`, refreshLate)
}

// A page that lists some jobs of many (`data-few`) is told of all of them, and is in a hurry for its own and new ones.
// A stream that opens also tells how many notices are unread: mostly what the page shows.
function hear({ type, detail }) {
  if (type === 'live:notices' && detail.unread === unread) return
  const isOthers = 'few' in root.dataset && detail?.job_id && detail.kind !== 'job.submitted' && !row(detail.job_id)
  if (isOthers) refreshLate()
  else refreshSoon()
}

function row(id) {
  return root.querySelector(`[data-job="${CSS.escape(id)}"]`)
}

// Figures of clusters come with the stream, as HTML by the id of where they stand (`data-drawn`: a refresh that was
// asked for before may bring older ones). So do troubles of clusters, which make what a page shows of them old.
document.addEventListener('live:figures', ({ detail }) => { draw(detail) })
document.addEventListener('live:troubles', ({ detail }) => {
  if (draw(detail) && root?.dataset.refresh.includes('clusters')) refreshSoon()
})

// Whether any of them was something else before.
function draw(parts) {
  let isNew = false
  for (const [id, html] of Object.entries(parts)) {
    const place = document.getElementById(id)
    if (!place) continue
    const before = place.innerHTML
    morphChildren(place, new DOMParser().parseFromString(html, 'text/html').body)
    isNew ||= place.innerHTML !== before
  }
  return isNew
}

// What is left of a budget stands on every page: the stream tells it whenever jobs of the project have changed it.
// Whoever grants or takes back tells the people of the project with a notice.
const left = document.querySelector('[data-part="left"]')
let unread = Number(document.querySelector('.bell .count')?.textContent)
document.addEventListener('live:notices', hearNotices)
document.addEventListener('live:balance', ({ detail }) => { if (left) left.textContent = detail.left })

async function hearNotices({ detail }) {
  const isNew = detail.unread > unread
  unread = detail.unread
  if (!isNew || !left) return
  const response = await fetch('/menu').catch(() => null)
  if (!response?.ok) return
  const next = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('[data-part="left"]')
  if (next) morph(left, next)
}

export function refreshSoon() {
  if (!root) return
  if (timer) { again = true; return }
  timer = setTimeout(refresh, 20)
}

function refreshLate() {
  late ||= setTimeout(() => { late = 0; refreshSoon() }, SLOWLY * Math.random())
}

function lookAgainLater() {
  clearTimeout(next)
  const seconds = document.querySelector('[data-part][data-every]')?.dataset.every
  if (seconds) next = setTimeout(document.hidden ? lookAgainLater : refreshSoon, seconds * 1000)
}

async function refresh() {
  again = false
  // Not location.href where a form was refused: that is shown at the address it was posted to.
  const address = root.dataset.page ? root.dataset.page + location.search : location.pathname + location.search
  const response = await fetch(address, { headers: { 'HX-Request': 'true' } }).catch(() => null)
  if (response?.ok) showFresh(new DOMParser().parseFromString(await response.text(), 'text/html'))
  timer = setTimeout(() => { timer = 0; if (again) refreshSoon() }, PAUSE)
  lookAgainLater()
}

// Also for the answer to a form, which is a whole page: not always of what this page is about.
export function showFresh(fresh, { isHere = true } = {}) {
  for (const part of document.querySelectorAll('[data-part]')) {
    const next = fresh.querySelector(`[data-part="${part.dataset.part}"]`)
    if (!next) continue
    morph(part, next)
    part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }))
  }
  if (isHere) showSign(fresh)
}

// The state in the title and the sign of the tab.
export function showSign(fresh) {
  document.title = fresh.title || document.title
  const sign = fresh.querySelector('link[rel="icon"]')?.getAttribute('href')
  const shown = document.querySelector('link[rel="icon"]')
  if (sign && shown.getAttribute('href') !== sign) shown.setAttribute('href', sign)
}

// The page's one stream. What it tells is told on to all of the page's scripts, as events of the document: `live:job`,
// `live:requests` and the like, and `live:open` when everything may have changed because nobody had listened.
// A page whose log is still written (`data-live-later`) has the stream of the log instead, which tells the same.

import { openStream } from './sse.js'

const NAMES = ['job', 'resync', 'notices', 'requests', 'clusters', 'figures', 'troubles', 'balance']
const AGE_SECONDS = 5
const address = document.body.dataset.live
const badge = document.querySelector('.live')
let knownAt = Date.now()
let was = ''

export const told = Object.fromEntries(NAMES.map((name) => [name, (event) => tell(name, JSON.parse(event.data))]))

// By then every script of the page listens.
if (address && !('liveLater' in document.body.dataset)) addEventListener('DOMContentLoaded', startLive)
document.addEventListener('live:notices', (event) => showUnread(event.detail.unread))

export function startLive() {
  openStream(
    (last) => last ? `${address}${address.includes('?') ? '&' : '?'}after=${last}` : address,
    told,
    showStatus,
  )
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`live:${name}`, { detail }))
}

// Says whether the page is up to date, and once it is not: since when.
export function showStatus(status) {
  showBadge(status)
  if (status === 'live') tell('open', {})
}

function showBadge(status) {
  if (!badge) return
  if (was === 'live') knownAt = Date.now()
  badge.hidden = false
  badge.dataset.is = status
  was = status
  sayAge()
}

if (badge) setInterval(sayAge, AGE_SECONDS * 1000)

function sayAge() {
  const isLost = was === 'waiting' && badge.dataset.wasLive
  if (was === 'live') badge.dataset.wasLive = 'yes'
  const state = badge.dataset[isLost ? 'reconnecting' : was] ?? ''
  const seconds = Math.round((Date.now() - knownAt) / 1000)
  const isOld = was !== 'live' && seconds >= AGE_SECONDS
  badge.classList.toggle('is-old', isOld)
  badge.firstElementChild.textContent = isOld ? `${state} · ${badge.dataset.asOf.replace('{age}', age(seconds))}` : state
}

function age(seconds) {
  const [amount, unit] = seconds < 90 ? [seconds, 'second'] : seconds < 5400 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour']
  return new Intl.RelativeTimeFormat(document.documentElement.lang).format(-Math.round(amount), unit)
}

function showUnread(count) {
  const bell = document.querySelector('.bell')
  const number = bell?.querySelector('.count')
  if (!number) return
  number.hidden = count === 0
  number.textContent = count < 100 ? count : '99+'
  bell.setAttribute('aria-label', bell.dataset.unread.replace('{count}', count))
}

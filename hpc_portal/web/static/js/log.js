// A log's page: follows what a job writes, goes to any line of it, and finds what its reader looks for.

import { followEnd } from './follow.js'
import { showStatus, startLive, told } from './live.js'
import { lineElement, numbers, paint } from './log_line.js'
import { highlight, logSearch } from './log_search.js'
import { logWindow } from './log_window.js'
import { refreshSoon } from './refresh.js'
import { openStream } from './sse.js'

const PAGE = 500
const NEAR_PIXELS = 600

const box = document.querySelector('.log')
const lines = box.querySelector('.log-lines')
const partial = box.querySelector('.log-partial')
const end = box.querySelector('.log-end')
const jump = document.querySelector('[data-jump-end]')
const say = document.querySelector('#log-found')
const place = document.querySelector('[data-place]')
const shown = logWindow(box, lines)
let total = Number(box.dataset.total)
let target = Number(box.dataset.line) // counted from 1; 0: none
let unseen = 0
let isLoading = false
let stream = null

const atEnd = followEnd(box, lines, {
  isFollowing: !location.hash.startsWith('#L') && !target && isWhole(),
  mayFollow: isWhole,
  onChange: showJump,
})
const search = logSearch(box, say, { total: () => total, place: () => target - 1, show: showMatch })

for (const link of document.querySelectorAll('[data-without-script]')) link.remove()
for (const part of lines.querySelectorAll('[data-fg], [data-bg]')) paint(part)
box.addEventListener('scroll', loadNear, { passive: true })
jump.addEventListener('click', goToEnd)
addEventListener('hashchange', goToHash)
wireSearch()
wireWrap()
wireKeys()
if (location.hash) goToHash()
else if (target) mark(target)

if (box.dataset.stream) {
  stream = openStream(() => `${box.dataset.stream}&after=${total}`, {
    lines: arrive,
    partial: showPartial,
    restart: startAnew,
    end: finish,
    ...told,
  }, showStatus)
}

function isWhole() {
  return shown.next() >= total
}

function arrive(event) {
  const { first, lines: added } = JSON.parse(event.data)
  const next = first + added.length
  if (next <= total) return
  const isNear = first <= shown.next()
  const follows = atEnd.isFollowing()
  if (isWhole() && isNear && (follows || !shown.isFull())) shown.append(first, added, { trims: follows })
  else if (follows) shown.replace(first, added)
  if (!follows) unseen += next - total
  if (total === 0) refreshSoon() // it has started
  total = next
  partial.hidden = true
  atEnd.toEnd()
  showPlace()
}

function showPartial(event) {
  const { line, lines: [text] } = JSON.parse(event.data)
  partial.hidden = text === '' || !isWhole()
  partial.replaceChildren(...lineElement(line + 1, text).childNodes)
  atEnd.toEnd()
}

function startAnew() {
  total = 0
  unseen = 0
  target = 0
  partial.hidden = true
  shown.replace(0, [])
  showPlace()
}

function finish() {
  stream?.close()
  partial.hidden = true
  end.textContent = end.dataset.over
  startLive() // the job goes on to be over and paid for; what is shown above is asked for again as it opens
}

async function load(parameters) {
  const query = new URLSearchParams({ limit: PAGE, ...parameters })
  const reply = await fetch(`${box.dataset.address}/lines?${box.dataset.query}&${query}`)
  if (!reply.ok) throw new Error(reply.status)
  const part = await reply.json()
  total = Math.max(total, part.total)
  return part
}

// One request at a time; none when the reader is nowhere near an end of what is in the page.
async function loadNear() {
  const isTop = box.scrollTop < NEAR_PIXELS && shown.first() > 0
  const isBottom = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PIXELS && !isWhole()
  if (isLoading || atEnd.isFollowing() || !(isTop || isBottom)) return
  isLoading = true
  try {
    if (isTop) {
      const first = Math.max(0, shown.first() - PAGE)
      const part = await load({ first, limit: shown.first() - first })
      if (part.next === shown.first()) shown.prepend(part.first, part.lines)
    } else {
      const part = await load({ first: shown.next() })
      if (part.first === shown.next()) shown.append(part.first, part.lines, { trims: true })
    }
    showPlace()
  } catch {
    say.textContent = say.dataset.failed
  } finally {
    isLoading = false
  }
}

async function goToEnd() {
  if (!isWhole()) {
    const part = await load({})
    shown.replace(part.first, part.lines)
  }
  atEnd.start()
  showPlace()
}

async function goTo(number) {
  if (!shown.has(number - 1)) {
    const part = await load({ first: Math.max(0, number - 1 - PAGE / 2) })
    if (number > part.next) {
      say.textContent = say.dataset.beyond.replace('{count}', numbers.format(part.total))
      return null
    }
    shown.replace(part.first, part.lines)
  }
  return mark(number)
}

function mark(number) {
  const line = document.getElementById(`L${number}`)
  lines.querySelector('.target')?.classList.remove('target')
  CSS.highlights?.delete('found')
  target = number
  line.classList.add('target')
  atEnd.stop()
  box.scrollIntoView({ block: 'nearest' })
  box.scrollTop += line.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2
  history.replaceState(null, '', `?${box.dataset.query}&line=${number}#L${number}`)
  showPlace()
  return line
}

function goToHash() {
  const number = Number(location.hash.match(/^#L(\d+)$/)?.[1])
  if (number) goTo(number)
}

async function showMatch(match) {
  const line = await goTo(match.line + 1)
  if (line) highlight(line.querySelector('span'), match)
}

function showJump(follows) {
  jump.hidden = follows
  if (follows) unseen = 0
  jump.lastElementChild.textContent = unseen ? say.dataset.new.replace('{count}', numbers.format(unseen)) : jump.dataset.label
}

function showPlace() {
  place.textContent = total ? place.dataset.place.replace('{first}', numbers.format(shown.first() + 1))
    .replace('{last}', numbers.format(shown.next())).replace('{total}', numbers.format(total)) : ''
  showJump(atEnd.isFollowing())
  end.hidden = !isWhole()
}

function wireSearch() {
  const form = document.querySelector('[data-log-search]')
  const lineForm = document.querySelector('[data-log-line]')
  const wanted = () => ({ search: form.elements.search.value, regex: form.elements.regex.checked })
  const errors = { errors: true }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (form.elements.search.value) search.find(wanted(), { backward: event.submitter?.name === 'before' })
  })
  lineForm.addEventListener('submit', (event) => {
    event.preventDefault()
    const number = Math.trunc(lineForm.elements.line.valueAsNumber)
    if (number >= 1) goTo(number)
  })
  document.querySelector('[data-error="first"]').addEventListener('click', (event) => {
    event.preventDefault()
    search.find(errors, { from: 0 })
  })
  document.querySelector('[data-error="next"]').addEventListener('click', (event) => {
    event.preventDefault()
    search.find(errors)
  })
}

function wireWrap() {
  const button = document.querySelector('[data-wrap]')
  const set = (wraps) => {
    box.classList.toggle('is-unwrapped', !wraps)
    button.setAttribute('aria-pressed', wraps)
  }
  button.hidden = false
  set(localStorage.getItem('log-wraps') !== 'no')
  button.addEventListener('click', () => {
    const wraps = box.classList.contains('is-unwrapped')
    localStorage.setItem('log-wraps', wraps ? 'yes' : 'no')
    set(wraps)
  })
}

// Each key presses the button that names it, so that keys and buttons cannot do different things.
function wireKeys() {
  const buttons = {
    n: '[data-log-search] [name=from_line]',
    N: '[data-log-search] [name=before]',
    e: '[data-error="next"]',
    E: '[data-error="first"]',
    G: '[data-jump-end]',
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select')) return
    if (event.key === ':') {
      event.preventDefault()
      document.querySelector('#log-line').select()
    } else if (buttons[event.key]) {
      event.preventDefault()
      document.querySelector(buttons[event.key]).click()
    }
  })
}

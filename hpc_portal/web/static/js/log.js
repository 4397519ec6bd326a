// A log that grows: lines arrive over the stream, in blocks of 250 that the browser lays out only when seen.
// It follows the end only while the reader is at the end, and never loses its place otherwise.

import { showLive } from './app.js'
import { followEnd } from './follow.js'
import { openStream } from './sse.js'

const BLOCK = 250
const log = document.querySelector('.log')
const end = log.querySelector('.log-end')
const lines = log.querySelector('.log-lines')
const jump = document.querySelector('[data-jump-end]')
let next = Number(log.dataset.next)
let stream = null

const atEnd = followEnd(log, lines, {
  isFollowing: !location.hash.startsWith('#L'),
  onChange: (follows) => { jump.hidden = follows },
})
jump.addEventListener('click', atEnd.start)
addEventListener('hashchange', markTarget)
markTarget()

if (log.dataset.stream) {
  stream = openStream(() => `${log.dataset.stream}${log.dataset.stream.includes('?') ? '&' : '?'}after=${next}`, {
    lines: append,
    end: finish,
  }, showLive)
}

function append(event) {
  const { first, lines: added } = JSON.parse(event.data)
  added.forEach((text, index) => {
    if (first + index >= next) add(first + index, text)
  })
  atEnd.toEnd()
}

function add(number, text) {
  let block = lines.lastElementChild
  if (!block || block.childElementCount >= BLOCK) {
    block = document.createElement('div')
    block.className = 'log-block'
    lines.append(block)
  }
  const line = document.createElement('div')
  const link = document.createElement('a')
  const content = document.createElement('span')
  line.className = `log-line ${tone(text)}`
  line.id = `L${number + 1}`
  link.href = `#L${number + 1}`
  link.textContent = number + 1
  content.textContent = text || '\n'
  line.append(link, content)
  block.append(line)
  next = number + 1
}

function tone(text) {
  if (/\b(error|fatal|fail(ed|ure)?|traceback|assert(ion)?)\b|TB_ERROR/i.test(text)) return 'is-error'
  return /\b(passed|success(ful)?)\b/i.test(text) ? 'is-good' : ''
}

function finish() {
  stream?.close()
  end.textContent = end.dataset.over
}

function markTarget() {
  log.querySelector('.target')?.classList.remove('target')
  if (!location.hash.startsWith('#L')) return
  const line = document.getElementById(location.hash.slice(1))
  const query = new URLSearchParams(location.search)
  const number = location.hash.slice(2)
  if (!line && query.get('line') !== number) { // not among the lines shown: ask for those around it
    query.set('line', number)
    location.search = query
  }
  line?.classList.add('target')
  line?.scrollIntoView({ block: 'center' })
}

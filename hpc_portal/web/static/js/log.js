// A log that grows: lines arrive over the stream, in blocks of 250 that the browser lays out only when seen.
// It follows the end only while the reader is at the end, and never loses its place otherwise.

import { openStream } from './sse.js'
import { showLive } from './app.js'

const BLOCK = 250
const log = document.querySelector('.log')
const end = log.querySelector('.log-end')
const jump = document.querySelector('[data-jump-end]')
let next = Number(log.dataset.next)
let follow = !location.hash.startsWith('#L')
let stream = null

log.addEventListener('scroll', () => {
  follow = log.scrollTop + log.clientHeight >= log.scrollHeight - 24
  jump.hidden = follow
}, { passive: true })
jump.addEventListener('click', () => { follow = true; toEnd() })
addEventListener('hashchange', markTarget)
toEnd()
markTarget()

if (log.dataset.stream) {
  stream = openStream(() => `${log.dataset.stream}${log.dataset.stream.includes('?') ? '&' : '?'}after=${next}`, {
    lines: append,
    end: finish,
  }, showLive)
}

function append(event) {
  const { first, lines } = JSON.parse(event.data)
  lines.forEach((text, index) => {
    if (first + index >= next) add(first + index, text)
  })
  toEnd()
}

function add(number, text) {
  let block = end.previousElementSibling
  if (!block || block.childElementCount >= BLOCK) {
    block = document.createElement('div')
    block.className = 'log-block'
    end.before(block)
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

function toEnd() {
  if (follow) log.scrollTop = log.scrollHeight
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

// Files that are dropped on a project's page or chosen there: a few at a time, each with its progress.

import { chosenFiles, droppedFiles } from './dropped.js'
import { showFresh } from './refresh.js'
import { dropUpload, newId, Refused, sendFile } from './upload_send.js'

const AT_ONCE = 3
const KEPT_ROWS = 5 // of files that arrived
const box = document.querySelector('[data-uploads]')
const panel = box.querySelector('.uploads')
const list = box.querySelector('.uploads-list')
const summary = box.querySelector('[data-summary]')
const said = box.dataset
const language = document.documentElement.lang
const waiting = []
let running = 0
let total = 0
let arrived = 0

let depth = 0 // of elements that the dragged files are over
addEventListener('dragenter', (event) => { if (hasFiles(event)) { depth++; box.classList.add('is-over') } })
addEventListener('dragleave', (event) => { if (hasFiles(event) && --depth <= 0) leave() })
addEventListener('dragover', (event) => { if (hasFiles(event)) event.preventDefault() })
addEventListener('drop', async (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  leave()
  add(await droppedFiles(event.dataTransfer))
})
for (const input of box.querySelectorAll('input[type="file"]')) {
  input.addEventListener('change', () => { add(chosenFiles(input)); input.value = '' })
}
box.querySelector('[data-cancel-all]').addEventListener('click', () => {
  for (const one of [...waiting, ...list.querySelectorAll('li')].map((each) => each.item ?? each)) cancel(one)
})
addEventListener('beforeunload', (event) => { if (running) event.preventDefault() })

function hasFiles(event) {
  return event.dataTransfer?.types.includes('Files')
}

function leave() {
  depth = 0
  box.classList.remove('is-over')
}

function add(files) {
  for (const { file, path } of files) {
    const whole = said.path ? `${said.path}/${path}` : path
    waiting.push({ file, path: whole, shown: path, id: newId(), overwrite: false, control: new AbortController() })
  }
  total += files.length
  goOn()
}

function goOn() {
  while (running < AT_ONCE && waiting.length) start(waiting.shift())
  tell()
}

async function start(item) {
  running++
  item.control = new AbortController()
  item.state = 'sending'
  item.row ??= rowOf(item)
  show(item, said.waiting)
  const speed = speedometer()
  try {
    await sendFile({
      ...item,
      account: said.account,
      signal: item.control.signal,
      onProgress: (done) => {
        item.bar.value = item.file.size ? done / item.file.size : 1
        show(item, fill(said.sending, { done: size(done), size: size(item.file.size), speed: size(speed(done)) }))
      },
      onPause: () => show(item, said.pausing),
    })
    arrived++
    end(item, 'done', `${said.done} · ${size(item.file.size)}`)
    item.bar.value = 1
    dropOldRows()
  } catch (error) {
    if (error.name === 'AbortError') end(item, 'cancelled', said.cancelled)
    else if (error instanceof Refused && error.isTaken) end(item, 'taken', error.message)
    else end(item, 'failed', error instanceof Refused ? error.message : said.failed)
  }
  running--
  goOn()
  if (!running && !waiting.length) showFolder()
}

function end(item, state, text) {
  item.state = state
  show(item, text)
}

// Also one that waits, and what the portal has of one that was cut off.
function cancel(item) {
  const at = waiting.indexOf(item)
  if (at >= 0) { waiting.splice(at, 1); total-- }
  if (item.state === 'done' || item.state === 'cancelled') return
  item.control.abort()
  dropUpload({ account: said.account, id: item.id })
  if (item.row && item.state !== 'sending') end(item, 'cancelled', said.cancelled)
  tell()
}

function again(item, { overwrite }) {
  item.overwrite = overwrite
  waiting.unshift(item)
  goOn()
}

function rowOf(item) {
  const row = document.createElement('li')
  row.item = item
  const name = Object.assign(document.createElement('bdi'), { className: 'uploads-name', textContent: item.shown })
  item.bar = Object.assign(document.createElement('progress'), { className: 'bar', max: 1, value: 0, ariaLabel: item.shown })
  item.text = Object.assign(document.createElement('span'), { className: 'sub uploads-text' })
  item.deeds = Object.assign(document.createElement('span'), { className: 'row-deeds' })
  row.append(name, item.deeds, item.bar, item.text)
  list.append(row)
  return row
}

function show(item, text) {
  item.text.textContent = text
  if (item.row.dataset.state === item.state) return
  item.row.dataset.state = item.state
  const deeds = {
    sending: [[said.wordCancel, () => cancel(item)]],
    taken: [[said.wordOverwrite, () => again(item, { overwrite: true })]],
    failed: [[said.wordAgain, () => again(item, { overwrite: item.overwrite })]],
    cancelled: [[said.wordAgain, () => again(item, { overwrite: item.overwrite })]],
  }
  item.deeds.replaceChildren(...(deeds[item.state] ?? []).map(([word, deed]) => {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'btn btn-sm', textContent: word })
    button.setAttribute('aria-label', `${word}: ${item.shown}`)
    button.addEventListener('click', deed)
    return button
  }))
}

// A folder of thousands of files would fill the page with what nobody has to look at any more.
function dropOldRows() {
  const done = list.querySelectorAll('[data-state="done"]')
  for (const row of [...done].slice(0, -KEPT_ROWS)) row.remove()
}

function tell() {
  panel.hidden = total === 0 && !list.childElementCount
  summary.textContent = fill(said.allDone, { count: arrived.toLocaleString(language), total: total.toLocaleString(language) })
  box.querySelector('[data-cancel-all]').hidden = !running && !waiting.length
}

async function showFolder() {
  const response = await fetch(location.href, { headers: { 'HX-Request': 'true' } }).catch(() => null)
  if (response?.ok) showFresh(new DOMParser().parseFromString(await response.text(), 'text/html'))
}

// Bytes a second, over the last few seconds.
function speedometer() {
  const seen = []
  return (done) => {
    seen.push([performance.now(), done])
    while (seen.length > 2 && seen.at(-1)[0] - seen[0][0] > 4000) seen.shift()
    const [[since, from], [until, to]] = [seen[0], seen.at(-1)]
    return until > since ? Math.max(0, (to - from) / (until - since) * 1000) : 0
  }
}

function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let at = 0
  let left = bytes
  while (left >= 1000 && at < units.length - 1) { left /= 1000; at++ }
  return `${left.toLocaleString(language, { maximumFractionDigits: left < 100 && at ? 1 : 0 })} ${units[at]}`
}

function fill(text, values) {
  return text.replace(/{(\w+)}/g, (_, name) => values[name])
}

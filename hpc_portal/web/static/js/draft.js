// Keeps what is typed into the submit form in this browser, until its job is stored: one draft for each tab, by user,
// template and project. Passwords and files are never kept.

import { forgetStored, listDrafts } from './drafts.js'

const NEVER_KEPT = new Set(['hidden', 'password', 'file', 'submit'])
const form = document.querySelector('#job-form')
const prefix = `draft/${form.dataset.user}/${form.dataset.template}/`
const place = `draft-id:${location.pathname}${location.search}`
const isAsTyped = 'typed' in form.dataset // shown again with what is wrong: what stands there is newest
const isPlain = !isAsTyped && !location.search // neither a copy nor sized from history
const said = document.querySelector('#draft')
const project = form.elements.namedItem('project')
const untouched = JSON.stringify(read({ asGiven: true }))

let id = ''
let timer = 0

start()

async function start() {
  const drafts = await forgetStored(listDrafts(prefix))
  id = await takeId()
  const draft = drafts.find((one) => one.id === id) ?? (isPlain ? await findOrphan(drafts) : null)
  if (draft && !isAsTyped) restore(draft)
  save()
  if (draft?.isFree) localStorage.removeItem(draft.key)
  form.addEventListener('input', soon)
  form.addEventListener('change', soon)
  form.addEventListener('submit', () => save({ isSent: true }))
  for (const name of ['pagehide', 'visibilitychange']) addEventListener(name, () => timer && save(), true)
  said.querySelector('button').addEventListener('click', beginAnew)
}

// What this tab had at this address, unless the tab was duplicated and the first one still has it.
async function takeId() {
  const own = sessionStorage.getItem(place)
  if (own && await take(own, 3000)) return own
  const made = crypto.getRandomValues(new Uint32Array(3)).join('-')
  sessionStorage.setItem(place, made)
  await take(made, 3000)
  return made
}

// The newest draft of the project that no open tab works on: it moves here. Over plain http no tab can tell, so it
// is copied.
async function findOrphan(drafts) {
  const { held } = await navigator.locks?.query() ?? {}
  return drafts
    .filter((one) => one.id !== id && one.project === project.value)
    .map((one) => ({ ...one, isFree: held && !held.some((lock) => lock.name === prefix + one.id) }))
    .sort((one, other) => other.at - one.at)
    .find((one) => one.isFree || !held)
}

// Held until the page goes; a reload has to wait until the page before it has let go.
function take(name, patience) {
  if (!navigator.locks) return true
  return new Promise((answer) => {
    navigator.locks.request(prefix + name, { signal: AbortSignal.timeout(patience) }, () => {
      answer(true)
      return new Promise(() => {})
    }).catch(() => answer(false))
  })
}

function kept() {
  return [...form.elements].filter((one) => one.name && !NEVER_KEPT.has(one.type) && !('notKept' in one.dataset))
}

function read({ asGiven = false } = {}) {
  return kept().flatMap((one) => {
    if ('keptIfChanged' in one.dataset && (asGiven || isUntouched(one))) return []
    if (!isTick(one)) return [[one.name, asGiven ? given(one) : one.value]]
    const isOn = asGiven ? one.defaultChecked : one.checked
    if (one.type === 'checkbox') return [[one.name, isOn ? one.value : '']]
    return isOn ? [[one.name, one.value]] : []
  })
}

function isTick(one) {
  return one.type === 'checkbox' || one.type === 'radio'
}

function isUntouched(one) {
  return isTick(one) ? one.checked === one.defaultChecked : one.value === given(one)
}

function given(one) {
  if (one.tagName !== 'SELECT') return one.defaultValue
  return ([...one.options].find((option) => option.defaultSelected) ?? one.options[0])?.value ?? ''
}

function soon() {
  clearTimeout(timer)
  timer = setTimeout(save, 150)
}

function save({ isSent = false } = {}) {
  clearTimeout(timer)
  timer = 0
  const values = read()
  const key = `${prefix}${project.value}/${id}`
  for (const one of listDrafts(prefix)) if (one.id === id && one.key !== key) localStorage.removeItem(one.key)
  if (JSON.stringify(values) === untouched && !isAsTyped) return localStorage.removeItem(key)
  const draft = { at: Date.now(), project: project.value, values }
  if (isSent) draft.sent = `${form.dataset.sent}?submission=${form.elements.namedItem('submission').value}`
  try {
    localStorage.setItem(key, JSON.stringify(draft))
  } catch {
    // The browser has no room: the form works as ever, without a draft.
  }
}

// Fields that a quick reader, or the browser by itself, has filled in by now stay as they are.
function restore(draft) {
  const values = new Map(draft.values)
  for (const one of kept().filter((control) => values.has(control.name) && isUntouched(control))) {
    const value = values.get(one.name)
    const folded = one.closest('details:not([open])')
    if (folded && (isTick(one) ? one.checked !== (one.value === value) : one.value !== value)) folded.open = true
    if (isTick(one)) one.checked = one.value === value
    else if (one.tagName !== 'SELECT' || [...one.options].some((option) => option.value === value)) one.value = value
  }
  said.querySelector('span').textContent = said.dataset.said.replace('{time}', told(new Date(draft.at)))
  said.hidden = false
  form.dispatchEvent(new Event('change', { bubbles: true }))
}

function told(at) {
  const zone = { timeZone: 'Asia/Ho_Chi_Minh' }
  const language = document.documentElement.lang
  const day = (one) => one.toLocaleDateString(language, zone)
  const time = at.toLocaleTimeString(language, { ...zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return day(at) === day(new Date()) ? time : `${time} ${day(at)}`
}

function beginAnew() {
  form.reset()
  said.hidden = true
  form.dispatchEvent(new Event('change', { bubbles: true }))
  save()
  form.querySelector('input:not([type="hidden"]), select, textarea').focus()
}

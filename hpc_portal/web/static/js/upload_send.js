// Sends one file to a project in parts; after a break it goes on where the portal has it until then.

const PART = 32 * 1024 * 1024
const MOST_PAUSES = 8
const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? ''
const language = document.documentElement.lang

export class Refused extends Error {
  constructor(problem) {
    super(problem.problems?.map((one) => one.message).join(' ') || problem.detail)
    this.isTaken = problem.type === '/problems/file-exists'
  }
}

// A random UUID; crypto.randomUUID is there over https only.
export function newId() {
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

// Resolves when the file is there. Rejects with Refused, with AbortError by `signal`, or with an Error after the portal
// was silent for long; the same id then goes on where it broke.
export async function sendFile({ account, id, file, path, overwrite, signal, onProgress, onPause }) {
  const address = `/api/v1/projects/${encodeURIComponent(account)}/uploads/${id}`
  let offset = 0
  let pauses = 0
  for (;;) {
    const query = new URLSearchParams({ path, size_bytes: file.size, offset, overwrite })
    const part = file.slice(offset, offset + PART)
    const answer = await put(`${address}?${query}`, part, signal, (sent) => onProgress(offset + sent))
    if (answer.status === 200) {
      pauses = 0
      offset = answer.body.received_bytes
      onProgress(offset)
      if (answer.body.is_complete) return
      continue
    }
    const isOutOfStep = answer.body?.type === '/problems/upload-out-of-step'
    if (answer.status >= 400 && answer.status < 500 && !isOutOfStep && answer.status !== 429) throw new Refused(answer.body)
    if (answer.status === 507) throw new Refused(answer.body)
    if (++pauses > MOST_PAUSES) throw new Error('silent')
    onPause()
    await rest(Math.min(500 * 2 ** pauses, 15000) * (0.5 + Math.random() / 2), signal)
    offset = await received(address, signal) ?? offset
  }
}

export function dropUpload({ account, id }) {
  const address = `/api/v1/projects/${encodeURIComponent(account)}/uploads/${id}`
  return fetch(address, { method: 'DELETE', headers: { 'X-CSRF-Token': csrf }, keepalive: true }).catch(() => null)
}

async function received(address, signal) {
  const response = await fetch(address, { signal }).catch(stopIfAborted)
  return response?.ok ? (await response.json()).received_bytes : null
}

// By XMLHttpRequest, for fetch tells nothing about what was sent until now. Status 0: the connection broke.
function put(url, body, signal, onSent) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) { reject(aborted()); return }
    const request = new XMLHttpRequest()
    const stop = () => { request.abort(); reject(aborted()) }
    signal.addEventListener('abort', stop, { once: true })
    request.upload.onprogress = (event) => onSent(event.loaded)
    request.onloadend = () => {
      signal.removeEventListener('abort', stop)
      resolve({ status: request.status, body: parsed(request.responseText) })
    }
    request.open('PUT', url)
    request.setRequestHeader('X-CSRF-Token', csrf)
    request.setRequestHeader('Accept-Language', language)
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    request.send(body)
  })
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return { detail: '' }
  }
}

function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => { clearTimeout(timer); reject(aborted()) }, { once: true })
  })
}

function stopIfAborted(error) {
  if (error.name === 'AbortError') throw error
  return null
}

function aborted() {
  return new DOMException('', 'AbortError')
}

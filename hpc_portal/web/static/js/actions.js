// Cancelling, holding and the like (`form[data-acts]`): shown as done at once, and taken back with a word when the
// portal says no or does not answer. What is destroyed is named first, and asked about.

import { say } from './app.js'
import { refreshSoon, showFresh } from './refresh.js'

document.addEventListener('submit', (event) => {
  const form = event.target.closest('form[data-acts]')
  if (!form || !event.submitter?.dataset.act) return
  event.preventDefault()
  act(form, event.submitter)
})

async function act(form, button) {
  if (!await mayDestroy(form, button)) return
  const shown = showAsDone(form, button)
  const { fresh, problem } = await send(form, button)
  if (fresh) {
    shown.keep()
    showFresh(fresh, { isHere: false })
    for (const tick of form.querySelectorAll('.tick, .tick-all')) tick.checked = false
  } else {
    shown.takeBack()
    say(problem || document.querySelector('.toast-box').dataset.failed, 'bad')
  }
  refreshSoon()
  document.dispatchEvent(new CustomEvent('acted'))
}

// Until the portal answered, whatever else the page learns meanwhile: a refresh that was on its way does not know of the
// act yet. What is taken back is what the page learned last.
function showAsDone(form, button) {
  const becoming = document.querySelector(`template[data-becoming="${button.dataset.act}"]`)
  const places = placesOf(form)
  const before = new Map()
  const showIn = (part) => {
    button.disabled = true
    if (!becoming) return
    for (const place of places.filter((one) => part.contains(one))) {
      before.set(place, [...place.childNodes])
      place.replaceChildren(becoming.content.cloneNode(true))
    }
  }
  const again = ({ target }) => showIn(target)
  const keep = () => {
    document.removeEventListener('refreshed', again)
    button.disabled = false
  }
  showIn(document)
  document.addEventListener('refreshed', again)
  return { keep, takeBack: () => { keep(); for (const [place, nodes] of before) place.replaceChildren(...nodes) } }
}

// What the portal shows now, or the problem in words, where it told any.
async function send(form, button) {
  const answer = await fetch(button.getAttribute('formaction') || form.action, {
    method: 'POST',
    body: new URLSearchParams(new FormData(form, button)),
    headers: { Accept: 'text/html' },
  }).catch(() => null)
  if (!answer) return { problem: document.querySelector('.toast-box').dataset.unreached }
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (answer.redirected && new URL(answer.url).pathname === '/sign-in') location.assign(answer.url)
  if (answer.ok) return { fresh }
  return { problem: (fresh.querySelector('main [role="alert"]') ?? fresh.querySelector('main .empty-box p'))?.textContent.trim() }
}

// Where the state of what is acted on stands: of the ticked rows, else of the whole page.
function placesOf(form) {
  const rows = tickedRows(form)
  return rows.length ? rows.map((row) => row.querySelector('[data-cell="state"]')) : [...document.querySelectorAll('[data-state]')]
}

function tickedRows(form) {
  return [...form.querySelectorAll('.tick[data-can="cancel"]:checked')].map((tick) => tick.closest('tr'))
}

function mayDestroy(form, button) {
  const rows = tickedRows(form)
  const running = rows.length ? rows.filter((row) => Number(row.dataset.runs)).length : Number(button.dataset.runs ?? 0)
  const dialog = document.querySelector('dialog.ask')
  if (!dialog || !('destroys' in button.dataset) || !running) return true
  for (const place of dialog.querySelectorAll('[data-says]')) {
    place.textContent = place.dataset.says.replace('{count}', rows.length || 1).replace('{running}', running)
  }
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((answered) => {
    dialog.addEventListener('close', () => answered(dialog.returnValue === 'yes'), { once: true })
  })
}

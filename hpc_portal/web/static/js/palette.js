// Go anywhere from the keyboard: Ctrl K searches, `g` and a letter opens a page, `?` says which keys there are.

const palette = document.querySelector('dialog.palette')
const field = palette.querySelector('input')
const list = palette.querySelector('.choices')
const keys = document.querySelector('dialog.keys')
const GO_MILLISECONDS = 1500
let asked = 0
let timer = null
let answered = Promise.resolve()
let goUntil = 0

for (const link of document.querySelectorAll('[data-palette]')) {
  link.addEventListener('click', (event) => { event.preventDefault(); open() })
}
field.addEventListener('input', () => {
  clearTimeout(timer)
  timer = setTimeout(ask, 120)
})
field.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault()
    choose(chosen() + (event.key === 'ArrowDown' ? 1 : -1))
  }
})
palette.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault()
  if (timer) ask() // somebody who types fast means what they typed, not what is still shown
  await answered
  options()[chosen()]?.click()
})
for (const dialog of [palette, keys]) {
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close() }) // beside it
}

document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
    event.preventDefault()
    if (palette.open) palette.close()
    else open()
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
  if (event.target.closest('input, textarea, select, [contenteditable]')) return
  if (event.key === '?') showKeys()
  else if (event.key === 'g') goUntil = event.timeStamp + GO_MILLISECONDS
  else if (event.timeStamp < goUntil && /^[a-z]$/.test(event.key)) {
    goUntil = 0
    document.querySelector(`.side [data-key="${event.key}"]`)?.click()
  }
})

// Those of every page, and what this page has of its own: it says so in `aria-keyshortcuts`.
function showKeys() {
  const list = keys.querySelector('.key-list')
  for (const own of list.querySelectorAll('[data-own]')) own.remove()
  for (const place of document.querySelectorAll('main [aria-keyshortcuts]')) {
    if (!place.checkVisibility() || place.type === 'search') continue
    const key = document.createElement('dt')
    const meaning = document.createElement('dd')
    for (const one of place.getAttribute('aria-keyshortcuts').split('+')) key.append(' ', Object.assign(document.createElement('kbd'), { textContent: one }))
    meaning.textContent = place.getAttribute('aria-label') || place.labels?.[0]?.textContent || place.textContent
    for (const part of [key, meaning]) { part.dataset.own = 'yes'; list.append(part) }
  }
  keys.showModal()
}

function open() {
  palette.showModal()
  field.select()
  ask()
}

function ask() {
  clearTimeout(timer)
  timer = null
  answered = show(++asked)
}

async function show(number) {
  const answer = await fetch(`/find?text=${encodeURIComponent(field.value)}`, {
    headers: { 'X-Requested-With': 'palette' },
  }).catch(() => null)
  if (number !== asked || !answer?.ok || answer.redirected) return
  list.innerHTML = await answer.text() // our own page, escaped by its template
  choose(0)
}

function options() {
  return [...list.querySelectorAll('a')]
}

function chosen() {
  return options().findIndex((option) => option.getAttribute('aria-selected') === 'true')
}

function choose(wanted) {
  const all = options()
  if (!all.length) return field.removeAttribute('aria-activedescendant')
  const at = (wanted + all.length) % all.length
  all.forEach((option, index) => option.setAttribute('aria-selected', index === at))
  field.setAttribute('aria-activedescendant', all[at].id)
  all[at].scrollIntoView({ block: 'nearest' })
}

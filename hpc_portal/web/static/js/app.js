// What every page needs: the CSRF header, a word when the portal fails, copy buttons, local keyboard shortcuts.

const token = document.querySelector('meta[name="csrf-token"]')?.content ?? ''

document.addEventListener('htmx:config:request', (event) => {
  const headers = event.detail.ctx?.request?.headers
  if (headers && token) headers['X-CSRF-Token'] = token
})
for (const name of ['htmx:response:error', 'htmx:error']) {
  document.addEventListener(name, (event) => {
    if (event.detail?.ctx?.response?.status !== 422) say(document.querySelector('.toast-box').dataset.failed)
  })
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  await navigator.clipboard.writeText(button.dataset.copy || button.nextElementSibling.textContent)
  say(button.dataset.copied)
})

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-submits]')) event.target.form.requestSubmit()
  if (event.target.matches('.tick, .tick-all')) countTicks(event.target)
})

document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target.closest('input, textarea, select')) return
  const search = document.querySelector('input[type="search"]')
  if (!search) return
  event.preventDefault()
  search.focus()
})

document.querySelector('[data-focus]')?.focus()
showWholeTab(document.querySelector('.tabs [aria-current]'))
document.querySelector('.side [aria-current]')?.scrollIntoView({ block: 'nearest' })
showNew()
for (const name of ['htmx:after:swap', 'refreshed']) document.addEventListener(name, showNew)

export function say(text, tone = 'run') {
  const box = document.querySelector('.toast-box')
  const note = document.createElement('div')
  note.className = `alert-box alert-${tone}`
  note.textContent = text
  box.replaceChildren(note)
  setTimeout(() => note.remove(), 6000)
}

function showNew() {
  for (const bulk of document.querySelectorAll('.bulk')) countTicks(bulk)
  for (const table of document.querySelectorAll('.table-box > .rows:not(.rows-report, .is-labelled)')) labelCells(table)
}

// A small screen shows each row as a block, and there each cell needs the name of its column.
function labelCells(table) {
  if (!table.tHead) return
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim())
  for (const row of table.querySelectorAll('tbody tr, tfoot tr')) {
    const cells = [...row.cells]
    const skipped = names.length - cells.reduce((sum, cell) => sum + cell.colSpan, 0) // spanned from rows above
    if (skipped < 0) continue
    let column = skipped
    for (const cell of cells) {
      const isEmpty = !cell.childElementCount && !cell.textContent.trim()
      if (names[column] && !isEmpty && cell.colSpan === 1) cell.dataset.label = names[column]
      column += cell.colSpan
    }
  }
  table.classList.add('is-labelled')
}

function showWholeTab(tab) {
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2
}

function countTicks(tick) {
  const form = tick?.closest('form')
  if (!form) return
  if (tick.matches('.tick-all')) for (const one of form.querySelectorAll('.tick')) one.checked = tick.checked
  const bulk = form.querySelector('.bulk')
  if (!bulk) return
  for (const button of bulk.querySelectorAll('button')) {
    const count = form.querySelectorAll(`.tick[data-can="${button.dataset.needs}"]:checked`).length
    button.disabled = count === 0
    for (const place of button.querySelectorAll('output')) place.textContent = count
  }
  bulk.hidden = !form.querySelector('.tick')
}

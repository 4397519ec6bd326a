// Chooses inputs of a job from the project's files: a list to walk and search, and a place to drop new ones. What is
// chosen stands as a path in the text field beside it, which works alone, too.

import { droppedFiles } from './dropped.js'

const project = document.querySelector('#f-project')

for (const box of document.querySelectorAll('[data-stored]')) {
  box.addEventListener('toggle', () => start(box), { once: true })
  if (box.open) start(box)
  // A draft that was restored may have chosen some.
  project.form.addEventListener('change', () => { if (box.querySelector('textarea').value) box.open = true })
}

function start(box) {
  if (box.dataset.started) return
  box.dataset.started = 'yes'
  const pick = box.querySelector('.stored-pick')
  const search = box.querySelector('[data-stored-search]')
  const chosen = box.querySelector('textarea')
  const list = box.querySelector('.stored-list')
  const said = pick.dataset
  let folder = ''
  let asked = 0
  let timer = 0
  pick.hidden = false
  show()

  search.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault() })
  search.addEventListener('input', (event) => {
    event.stopPropagation() // it is no field of the job
    clearTimeout(timer)
    timer = setTimeout(show, 200)
  })
  search.addEventListener('change', (event) => event.stopPropagation())
  project.addEventListener('change', () => { folder = ''; show() })
  box.addEventListener('dragover', (event) => { event.preventDefault(); box.classList.add('is-over') })
  box.addEventListener('dragleave', () => box.classList.remove('is-over'))
  box.addEventListener('drop', async (event) => {
    event.preventDefault()
    box.classList.remove('is-over')
    for (const one of await droppedFiles(event.dataTransfer)) await upload(one)
    show()
  })

  async function show() {
    const mine = ++asked
    const query = new URLSearchParams(search.value.trim() ? { search: search.value.trim() } : { path: folder })
    const address = `/api/v1/projects/${encodeURIComponent(project.value)}/files?${query}`
    const response = await fetch(address).catch(() => null)
    if (mine !== asked) return
    if (!response?.ok) { list.replaceChildren(note(said.saidFailed)); return }
    const { items } = await response.json()
    if (mine !== asked) return
    const isSearch = query.has('search')
    const rows = items.filter((one) => one.kind === 'file' || one.kind === 'folder').map((one) => one.kind === 'folder'
      ? row(button(`${one.name}/`, () => enter(one.path)))
      : tickRow(one.path, isSearch ? one.path : one.name))
    if (folder && !isSearch) rows.unshift(row(button(said.saidUp, () => enter(folder.split('/').slice(0, -1).join('/')))), tickRow(folder, said.saidAll))
    list.replaceChildren(...rows, ...(items.length ? [] : [note(said.saidNone)]))
  }

  function enter(path) {
    folder = path
    show()
  }

  function tickRow(path, name) {
    const label = Object.assign(document.createElement('label'), { className: 'form-check' })
    const tick = Object.assign(document.createElement('input'), { type: 'checkbox', className: 'form-check-input' })
    tick.checked = lines().includes(path)
    tick.addEventListener('change', (event) => { event.stopPropagation(); choose(path, tick.checked) })
    const text = Object.assign(document.createElement('bdi'), { className: 'form-check-label', textContent: name })
    label.append(tick, text)
    return row(label)
  }

  function lines() {
    return chosen.value.split('\n').map((line) => line.trim()).filter(Boolean)
  }

  function choose(path, isOn) {
    const rest = lines().filter((line) => line !== path)
    chosen.value = (isOn ? [...rest, path] : rest).join('\n')
    chosen.dispatchEvent(new Event('change', { bubbles: true }))
  }

  async function upload({ file, path }) {
    const whole = folder ? `${folder}/${path}` : path
    const bar = Object.assign(document.createElement('progress'), { className: 'bar', max: 1, value: 0, ariaLabel: path })
    const item = row(Object.assign(document.createElement('bdi'), { textContent: path }), bar)
    list.prepend(item)
    const { newId, Refused, sendFile } = await import('./upload_send.js') // few people drop files here
    try {
      await sendFile({
        account: project.value, id: newId(), file, path: whole, overwrite: false,
        signal: new AbortController().signal,
        onProgress: (done) => { bar.value = file.size ? done / file.size : 1 },
        onPause: () => {},
      })
      choose(whole, true)
    } catch (error) {
      chosen.insertAdjacentElement('beforebegin', warning(error instanceof Refused ? error.message : said.saidFailed))
    }
  }
}

function row(...parts) {
  const item = document.createElement('li')
  item.append(...parts)
  return item
}

function button(text, deed) {
  const made = Object.assign(document.createElement('button'), { type: 'button', className: 'pick', textContent: text })
  made.addEventListener('click', deed)
  return made
}

function note(text) {
  return Object.assign(document.createElement('li'), { className: 'sub', textContent: text })
}

function warning(text) {
  return Object.assign(document.createElement('p'), { className: 'error-text', role: 'alert', textContent: text })
}

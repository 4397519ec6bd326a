// The list of what a waveform holds: scopes to enter, signals to add, and a search over all of them.

const PAUSE = 200

export function openTree(box, told, ask, add) {
  const list = box.querySelector('[data-entries]')
  const search = box.querySelector('input')
  const place = box.querySelector('[data-scope-name]')
  const trail = told.scope ? ['', told.scope] : ['']
  let timer = 0
  let asked = 0

  search.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(load, PAUSE) })
  search.addEventListener('keydown', (event) => { if (event.key === 'Escape') { search.value = ''; load() } })
  load()

  async function load(cursor = null) {
    const mine = (asked += 1)
    const text = search.value.trim()
    const scope = trail.at(-1)
    const found = await ask('signals', { scope, search: text, cursor: cursor ?? 0 })
    if (!found || mine !== asked) return
    place.textContent = text ? '' : scope
    const items = found.items.map((entry) => line(entry, Boolean(text)))
    if (!cursor && !text && trail.length > 1) items.unshift(button('‹', told.up, () => { trail.pop(); load() }))
    if (found.next_cursor) items.push(button('…', told.more, (event) => { event.currentTarget.closest('li').remove(); load(found.next_cursor) }))
    if (!items.length) items.push(note(told.none))
    if (cursor) list.append(...items)
    else list.replaceChildren(...items)
  }

  function line(entry, isFull) {
    const text = isFull && !entry.is_scope ? entry.name : entry.label
    if (entry.is_scope) return button('▸', text, () => { trail.push(entry.name); load() })
    const width = entry.width > 1 ? ` [${entry.width - 1}:0]` : ''
    return button('+', `${text}${width}`, () => add(entry.name), told.add.replace('{name}', entry.label))
  }

  function button(sign, text, deed, label = '') {
    const made = document.createElement('button')
    made.type = 'button'
    made.className = 'waves-entry mono'
    const mark = document.createElement('span')
    mark.textContent = sign
    mark.ariaHidden = 'true'
    const name = document.createElement('bdi')
    name.textContent = text
    made.append(mark, name)
    if (label) made.setAttribute('aria-label', label)
    made.title = text
    made.addEventListener('click', deed)
    const item = document.createElement('li')
    item.append(made)
    return item
  }

  function note(text) {
    const item = document.createElement('li')
    item.className = 'dim'
    item.textContent = text
    return item
  }
}

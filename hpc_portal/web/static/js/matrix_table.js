// A matrix as a table of links: one tab stop, arrow keys between cells; verdicts are patched into their cells.

export function openTable(box, words) {
  const links = [...box.querySelectorAll('[data-task]')]
  const cells = new Map(links.map((link) => [Number(link.dataset.task), link]))
  const unfinished = new Set([words.waiting[1], words.running[1]])
  for (const link of links) link.tabIndex = -1
  if (links.length) links[0].tabIndex = 0
  box.addEventListener('keydown', move)
  box.addEventListener('focusin', ({ target }) => { if (target.dataset.task) makeStop(target) })

  function makeStop(link) {
    const old = box.querySelector('[data-task][tabindex="0"]')
    if (old) old.tabIndex = -1
    link.tabIndex = 0
  }

  function move(event) {
    const here = event.target.closest('td')
    if (!here || event.ctrlKey || event.altKey || event.metaKey) return
    const next = neighbour(here, event.key)?.querySelector('[data-task]')
    if (!next) return
    event.preventDefault()
    makeStop(next)
    next.focus()
    next.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  function show(task, name) {
    const cell = cells.get(task)
    if (!cell) return false
    const [tone, mark, text] = words[name]
    if (cell.textContent === mark || (name === 'running' && !unfinished.has(cell.textContent))) return true
    cell.className = `cell tone-${tone}`
    cell.textContent = mark
    cell.setAttribute('aria-label', cell.getAttribute('aria-label').replace(/: [^:]*$/, `: ${text}`))
    return true
  }

  function rest() {
    for (const [task, cell] of cells) if (unfinished.has(cell.textContent)) show(task, 'never_ran')
  }

  return { show, rest }
}

// The nearest cell in a direction that has a task; null at the edge.
function neighbour(cell, key) {
  const hasTask = (one) => one?.querySelector('[data-task]')
  const row = cell.parentElement
  const at = cell.cellIndex
  const walk = (one, step) => { do one = step(one); while (one && !hasTask(one)); return one }
  switch (key) {
    case 'ArrowRight': return walk(cell, (one) => one.nextElementSibling)
    case 'ArrowLeft': return walk(cell, (one) => one.previousElementSibling)
    case 'Home': return [...row.cells].find(hasTask)
    case 'End': return [...row.cells].reverse().find(hasTask)
    case 'ArrowDown':
    case 'ArrowUp': {
      let next = row
      do next = key === 'ArrowDown' ? next.nextElementSibling : next.previousElementSibling
      while (next && !hasTask(next.cells[at]))
      return next?.cells[at] ?? null
    }
  }
  return null
}

// A matrix as a table of links: one tab stop, arrow keys between cells; verdicts are patched into their cells. The page
// says of each cell its state only; where it stands is added to those that are looked at.

import { LETTERS, NAMES } from './matrix_layout.js'

export function openTable(box, words) {
  const links = box.getElementsByTagName('a')
  const columns = box.querySelector('thead tr').cells
  let byTask = null // made when a verdict comes: most tables are of runs that are over
  let stop = links[0]
  for (const link of links) link.tabIndex = -1
  if (stop) stop.tabIndex = 0
  box.addEventListener('keydown', move)
  box.addEventListener('focusin', ({ target }) => { if (target !== box) makeStop(target) })
  box.addEventListener('pointerover', ({ target }) => { if (target.matches('td > a')) target.title = whole(target) })

  function makeStop(link) {
    stop.tabIndex = -1
    stop = link
    link.tabIndex = 0
    link.setAttribute('aria-label', whole(link))
  }

  function whole(link) {
    const cell = link.parentElement
    return `${cell.parentElement.cells[0].textContent} ${columns[cell.cellIndex].textContent}: ${words[NAMES[link.className]][2]}`
  }

  function move(event) {
    const here = event.target.closest('td')
    if (!here || event.ctrlKey || event.altKey || event.metaKey) return
    const next = neighbour(here, event.key)?.querySelector('a')
    if (!next) return
    event.preventDefault()
    next.focus()
    next.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  function show(task, name) {
    byTask ??= new Map(Array.from(links, (link) => [taskOf(link), link]))
    const link = byTask.get(task)
    if (!link) return false
    const letter = LETTERS[name]
    if (link.className === letter || (name === 'running' && !isUnfinished(link))) return true
    const [, mark, text] = words[name]
    link.className = letter
    link.textContent = mark
    link.setAttribute('aria-label', link === stop ? whole(link) : text)
    if (link.title) link.title = whole(link)
    return true
  }

  function rest() {
    for (const link of links) if (isUnfinished(link)) show(taskOf(link), 'never_ran')
  }

  return { show, rest }
}

function taskOf(link) {
  const address = link.getAttribute('href')
  return Number(address.slice(address.lastIndexOf('=') + 1))
}

function isUnfinished(link) {
  return link.className === LETTERS.waiting || link.className === LETTERS.running
}

// The nearest cell in a direction that has a task; null at the edge.
function neighbour(cell, key) {
  const hasTask = (one) => one?.querySelector('a')
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

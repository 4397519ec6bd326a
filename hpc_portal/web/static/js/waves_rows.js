// What belongs to the drawn signals beside their picture: the names with values, and the table of values.

import { timeText } from './waves_time.js'

export function showNames(list, rows, selected, told, select) {
  while (list.childElementCount > rows.length) list.lastElementChild.remove()
  rows.forEach((row, place) => {
    const item = list.children[place] ?? list.appendChild(nameItem())
    const button = item.firstElementChild
    button.onclick = () => select(place)
    button.ariaPressed = String(place === selected)
    button.title = row.label
    const [name, value] = button.children
    name.firstElementChild.textContent = lastPart(row.label)
    value.textContent = row.kind || !row.isRead ? row.value ?? (row.isRead ? '–' : '') : told.absent
    value.className = `waves-value${row.state ? ` wave-${row.state}` : ''}`
  })
}

function nameItem() {
  const item = document.createElement('li')
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'waves-name mono'
  const name = document.createElement('span')
  name.append(document.createElement('bdi'))
  button.append(name, document.createElement('span'))
  item.append(button)
  return item
}

// The twin of the picture: every value at the cursor, since when and until when.
export function showValues(body, rows, scale, told, go) {
  const titles = [...(body?.closest('table').tHead.rows[0].cells ?? [])].map((cell) => cell.textContent)
  body?.replaceChildren(...rows.map((row) => {
    const line = document.createElement('tr')
    const head = document.createElement('th')
    head.scope = 'row'
    head.className = 'mono breaks'
    const name = document.createElement('bdi')
    name.textContent = row.label
    head.append(name)
    line.append(head)
    if (!row.kind) {
      const cell = document.createElement('td')
      cell.colSpan = 3
      cell.className = 'dim'
      cell.textContent = told.absent
      line.append(cell)
      return line
    }
    const value = document.createElement('td')
    value.className = `num mono${row.state ? ` wave-${row.state}` : ''}`
    value.textContent = row.value || '–'
    line.append(value, moment(row.since, scale, go), moment(row.until, scale, go))
    for (const [place, cell] of [...line.cells].entries()) if (place) cell.dataset.label = titles[place] // for small screens
    return line
  }))
}

function moment(time, scale, go) {
  const cell = document.createElement('td')
  cell.className = 'num mono'
  if (time === null) { cell.textContent = '–'; return cell }
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'waves-moment'
  button.textContent = timeText(time, scale)
  button.addEventListener('click', () => go(time))
  cell.append(button)
  return cell
}

// Of a full name what is behind the last dot, but for dots inside of brackets.
function lastPart(label) {
  return label.slice(label.lastIndexOf('.') + 1) || label
}

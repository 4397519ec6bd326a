// One line of a log as an element, from the facts that the server sends: text only, never markup.

const hidden = document.querySelector('.log').dataset.hidden
export const numbers = new Intl.NumberFormat(document.documentElement.lang)

// `shown`: the text, or [tone, [[text, classes, fg, bg], ...], hidden bytes]; `number` starts at 1.
export function lineElement(number, shown) {
  const [tone, parts, hiddenBytes] = typeof shown === 'string' ? ['', [[shown]], 0] : shown
  const line = document.createElement('div')
  const link = document.createElement('a')
  const content = document.createElement('span')
  line.className = `log-line ${tone}`
  line.id = `L${number}`
  link.href = `#L${number}`
  link.textContent = number
  content.append(...parts.map(partNode))
  if (hiddenBytes) {
    const said = document.createElement('em')
    said.textContent = hidden.replace('{count}', numbers.format(hiddenBytes))
    content.append(said)
  }
  line.append(link, content)
  return line
}

// Colours beyond the sixteen come as data, because the page's policy allows no style attributes.
export function paint(element) {
  if (element.dataset.fg) element.style.color = element.dataset.fg
  if (element.dataset.bg) element.style.backgroundColor = element.dataset.bg
}

function partNode([text, classes, fg, bg]) {
  if (!classes && !fg && !bg) return document.createTextNode(text)
  const part = document.createElement('i')
  part.className = classes
  part.textContent = text
  if (fg) part.dataset.fg = fg
  if (bg) part.dataset.bg = bg
  paint(part)
  return part
}

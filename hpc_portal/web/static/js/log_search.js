// Search over the whole log on the server, a bounded part a request, until something is found or all was looked at.

import { numbers } from './log_line.js'

export function logSearch(box, say, { total, place, show }) {
  let running = null

  // From the line where the reader is, then once from the other end. `wanted`: {search, regex} or {errors: true}.
  async function find(wanted, { backward = false, from = null } = {}) {
    running?.abort()
    running = new AbortController()
    const { signal } = running
    const start = from ?? (backward ? place() : place() + 1)
    say.textContent = say.dataset.searching
    try {
      const match = await look(wanted, start, backward, signal)
      const around = match || (backward ? start >= total() : start <= 0) ? null
        : await look(wanted, backward ? total() : 0, backward, signal)
      const found = match ?? around
      if (found) await show(found)
      say.textContent = found
        ? (match ? say.dataset.at : say.dataset.around).replace('{line}', numbers.format(found.line + 1))
        : say.dataset.none
    } catch (error) {
      if (error.name !== 'AbortError') say.textContent = error.said ?? say.dataset.failed
    }
  }

  async function look(wanted, start, backward, signal) {
    let at = start
    for (;;) {
      const query = new URLSearchParams({ ...wanted, backward, from_line: at, limit: 1 })
      const reply = await fetch(`${box.dataset.api}?${box.dataset.query.replace(/(^|&)file=/, '$1path=')}&${query}`, { signal })
      const facts = await reply.json()
      if (!reply.ok) throw Object.assign(new Error(), { said: facts.problems?.[0]?.message ?? facts.detail })
      if (facts.matches.length) return facts.matches[0]
      if (facts.is_over) return null
      at = facts.next_line
      const done = (backward ? total() - at : at) / Math.max(1, total())
      say.textContent = `${say.dataset.searching} ${Math.min(99, Math.round(100 * done))} %`
    }
  }

  return { find }
}

// Mark the characters of a match without touching the line's elements.
export function highlight(content, { start, end }) {
  if (!globalThis.CSS?.highlights) return
  const points = [...content.textContent]
  const from = points.slice(0, start).join('').length
  const to = from + points.slice(start, end).join('').length
  const range = new Range()
  if (setPoint(content, from, (...at) => range.setStart(...at)) && setPoint(content, to, (...at) => range.setEnd(...at))) {
    CSS.highlights.set('found', new Highlight(range))
  }
}

function setPoint(content, offset, set) {
  const walker = document.createTreeWalker(content, NodeFilter.SHOW_TEXT)
  let left = offset
  while (walker.nextNode()) {
    const { length } = walker.currentNode
    if (left <= length) {
      set(walker.currentNode, left)
      return true
    }
    left -= length
  }
  return false
}

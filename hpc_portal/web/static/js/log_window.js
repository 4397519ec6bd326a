// The part of a log that is in the page: at most so many lines, in blocks; what leaves at one end can be loaded again.

import { lineElement } from './log_line.js'

const BLOCK = 250
const MOST_LINES = 2000

export function logWindow(box, lines) {
  let first = Number(box.dataset.first)
  let next = Number(box.dataset.next)

  return {
    first: () => first,
    next: () => next,
    has: (line) => line >= first && line < next,
    isFull: () => next - first >= MOST_LINES,

    replace(start, shown) {
      lines.replaceChildren()
      first = start
      next = start
      grow(shown)
    },

    // Lines from `start` on that are not there yet; `trims` lets older ones go.
    append(start, shown, { trims }) {
      grow(shown.slice(Math.max(0, next - start)))
      if (!trims) return
      keepingPlace(() => {
        while (next - first > MOST_LINES && lines.childElementCount > 1) {
          first += lines.firstElementChild.childElementCount
          lines.firstElementChild.remove()
        }
      })
    },

    // Lines right before those that are there.
    prepend(start, shown) {
      const block = blockOf(shown.map((line, index) => lineElement(start + index + 1, line)))
      keepingPlace(() => {
        lines.prepend(block)
        first = start
        while (next - first > MOST_LINES && lines.childElementCount > 1) {
          next -= lines.lastElementChild.childElementCount
          lines.lastElementChild.remove()
        }
      })
    },
  }

  function grow(shown) {
    for (let at = 0; at < shown.length;) {
      const last = lines.lastElementChild
      const room = last ? BLOCK - last.childElementCount : 0
      const added = shown.slice(at, at + (room > 0 ? room : BLOCK)).map((line, index) => lineElement(next + index + 1, line))
      if (room > 0) last.append(...added)
      else lines.append(blockOf(added))
      at += added.length
      next += added.length
    }
  }

  // What happens above or below the reader does not move what they read.
  function keepingPlace(change) {
    const anchor = [...lines.children].find((block) => block.offsetTop + block.offsetHeight > box.scrollTop)
    const before = anchor?.offsetTop
    change()
    if (anchor?.isConnected) box.scrollTop += anchor.offsetTop - before
  }
}

function blockOf(elements) {
  const block = document.createElement('div')
  block.className = 'log-block'
  block.append(...elements)
  return block
}

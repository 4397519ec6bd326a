// Makes a part of the page say what a fresh copy of it says, node by node: what is the same stays in place, with its
// focus, selection and scrolling; what somebody typed, ticked or opened stays as they left it.

const THE_READERS = new Set(['open']) // attributes that the reader changes

export function morph(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !THE_READERS.has(name)) old.removeAttribute(name)
  for (const { name, value } of fresh.attributes) {
    if (!THE_READERS.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
  if (!old.hasAttribute('data-drawn')) morphChildren(old, fresh) // what a script draws is the script's
}

export function morphChildren(old, fresh) {
  let place = old.firstChild
  for (const next of [...fresh.childNodes]) {
    const match = sameKey(place, next) ? place : find(place, next)
    if (!match) {
      old.insertBefore(next, place)
      continue
    }
    if (match !== place) old.insertBefore(match, place)
    else place = place.nextSibling
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, next)
    else if (match.data !== next.data) match.data = next.data
  }
  while (place) {
    const gone = place
    place = place.nextSibling
    gone.remove()
  }
}

function find(place, next) {
  for (let one = place; keyOf(next) && one; one = one.nextSibling) if (sameKey(one, next)) return one
  return null
}

function sameKey(one, other) {
  return one?.nodeName === other.nodeName && keyOf(one) === keyOf(other)
}

function keyOf(node) {
  return node.id || node.dataset?.job || node.dataset?.key || ''
}

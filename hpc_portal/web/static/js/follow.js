// Keeps a box scrolled to its end while it grows, until its reader moves up. What the layout does by itself (blocks
// that turn out taller than they were taken for, larger letters, a narrower window) is not the reader.

const SLACK_PIXELS = 24
const UPWARD_KEYS = new Set(['ArrowUp', 'PageUp', 'Home'])

export function followEnd(box, content, { isFollowing, mayFollow = () => true, onChange }) {
  let top = box.scrollTop
  let height = box.scrollHeight
  let follows = isFollowing

  box.addEventListener('wheel', (event) => { if (event.deltaY < 0) leave() }, { passive: true })
  box.addEventListener('touchmove', leave, { passive: true })
  box.addEventListener('keydown', (event) => { if (UPWARD_KEYS.has(event.key)) leave() })
  box.addEventListener('scroll', () => {
    const moved = box.scrollTop - top
    const isLayout = box.scrollHeight !== height
    remember()
    if (moved > 0 && isAtEnd() && mayFollow()) set(true)
    else if (moved < 0 && !isLayout) set(false) // by the bar, by a search of the browser, by a screen reader
    else toEnd()
  }, { passive: true })
  const observer = new ResizeObserver(toEnd)
  observer.observe(box)
  observer.observe(content)
  onChange(follows)
  toEnd()

  function isAtEnd() {
    return box.scrollTop + box.clientHeight >= box.scrollHeight - SLACK_PIXELS
  }

  function leave() {
    if (box.scrollTop > 0) set(false)
  }

  function remember() {
    top = box.scrollTop
    height = box.scrollHeight
  }

  function set(now) {
    if (now === follows) return
    follows = now
    onChange(now)
  }

  function toEnd() {
    if (!follows) return
    box.scrollTop = box.scrollHeight
    remember()
  }

  return {
    isFollowing: () => follows,
    start() { set(true); toEnd() },
    stop() { set(false) },
    toEnd,
  }
}

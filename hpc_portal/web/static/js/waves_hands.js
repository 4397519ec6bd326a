// Pointer, wheel and keyboard over the picture of waves.

import { AXIS, ROW } from './waves_canvas.js'

const CLICK = 4
const SNAP = 6
const WHEEL = 0.002

export function listenToCanvas(canvas, { state, rows, width, deeds }) {
  const timeAt = (x) => state.begin + (x / width()) * (state.end - state.begin)
  let grip = null // where the pointer went down, and what was shown then

  canvas.addEventListener('pointerdown', (event) => {
    if (event.button) return
    canvas.setPointerCapture(event.pointerId)
    grip = { x: event.offsetX, y: event.offsetY, begin: state.begin, end: state.end, isZoom: event.shiftKey, hasMoved: false }
  })
  canvas.addEventListener('pointermove', (event) => {
    if (!grip) return
    const by = event.offsetX - grip.x
    grip.hasMoved ||= Math.abs(by) > CLICK
    if (!grip.hasMoved) return
    if (grip.isZoom) {
      state.zoom = [timeAt(grip.x), timeAt(event.offsetX)]
      deeds.draw()
      return
    }
    const shift = (-by / width()) * (grip.end - grip.begin)
    deeds.show(grip.begin + shift, grip.end + shift)
  })
  canvas.addEventListener('pointerup', (event) => {
    const held = grip
    grip = null
    if (!held) return
    if (state.zoom) {
      const [from, to] = [...state.zoom].sort((one, other) => one - other)
      state.zoom = null
      deeds.show(from, to)
    } else if (!held.hasMoved) {
      const place = Math.floor((event.offsetY - AXIS) / ROW)
      if (place >= 0) deeds.select(place)
      deeds.setCursor(snapped(event.offsetX, rows()[place]))
    }
  })
  canvas.addEventListener('pointercancel', () => { grip = null; state.zoom = null; deeds.draw() })
  canvas.addEventListener('wheel', (event) => {
    const isPan = Math.abs(event.deltaX) > Math.abs(event.deltaY) || (event.shiftKey && !event.ctrlKey)
    if (!isPan && !event.ctrlKey && document.activeElement !== canvas) return // the page scrolls
    event.preventDefault()
    if (isPan) deeds.pan(((event.deltaX || event.deltaY) * 0.5) / width())
    else deeds.zoom(Math.exp(event.deltaY * WHEEL * (event.ctrlKey ? 2 : 1)), timeAt(event.offsetX))
  }, { passive: false })
  canvas.addEventListener('keydown', onKey)

  // A click next to a change of the row means the change.
  function snapped(x, row) {
    const time = timeAt(x)
    const reach = (SNAP / width()) * (state.end - state.begin)
    const near = (row?.points ?? []).map(([at]) => at).filter((at) => Math.abs(at - time) <= reach)
    return near.sort((one, other) => Math.abs(one - time) - Math.abs(other - time))[0] ?? time
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey) return
    const key = `${event.altKey ? 'Alt+' : ''}${event.shiftKey && event.key.startsWith('Arrow') ? 'Shift+' : ''}${event.key}`
    const keys = {
      '+': () => deeds.zoom(0.5), '=': () => deeds.zoom(0.5), '-': () => deeds.zoom(2), 0: () => deeds.show(0, Infinity),
      ArrowLeft: () => deeds.step(-1), ArrowRight: () => deeds.step(1),
      'Shift+ArrowLeft': () => deeds.pan(-0.25), 'Shift+ArrowRight': () => deeds.pan(0.25),
      ArrowUp: () => deeds.select(state.selected - 1), ArrowDown: () => deeds.select(state.selected + 1),
      'Alt+ArrowUp': () => deeds.move(-1), 'Alt+ArrowDown': () => deeds.move(1),
      Home: () => deeds.toEnd(false), End: () => deeds.toEnd(true),
      Delete: deeds.remove, r: deeds.turnRadix,
    }
    if (!keys[key]) return
    event.preventDefault()
    event.stopPropagation()
    keys[key]()
  }
}

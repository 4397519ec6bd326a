// An event stream: closed while the tab is hidden, reopened after the last event that was seen, with growing pauses.
// Once it is closed for good, it stays closed.

export function openStream(urlAfter, handlers, onStatus = () => {}) {
  let source = null
  let timer = 0
  let pause = 500
  let last = ''
  const listening = new AbortController()
  const { signal } = listening

  function open() {
    clearTimeout(timer)
    source?.close()
    onStatus('waiting')
    source = new EventSource(urlAfter(last))
    source.onopen = () => { pause = 500; onStatus('live') }
    source.onerror = () => {
      onStatus('waiting')
      if (source.readyState !== EventSource.CLOSED) return // the browser itself tries again
      timer = setTimeout(open, pause * (1 + Math.random()))
      pause = Math.min(pause * 2, 15000)
    }
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        last = event.lastEventId || last
        handle(event)
      })
    }
  }

  function close(status) {
    clearTimeout(timer)
    source?.close()
    source = null
    onStatus(status)
  }

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close('paused')
    else if (!source) open()
  }, { signal })
  addEventListener('pagehide', () => close('paused'), { signal })
  addEventListener('pageshow', (event) => { if (event.persisted && !source) open() }, { signal })
  open()
  return { close() { listening.abort(); close('paused') } }
}

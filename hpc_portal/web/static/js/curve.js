// Curves of a result, drawn by uPlot in the page's colours; the numbers come as JSON beside the canvas.

const COLOURS = ['--run', '--bad', '--good', '--odd', '--late']

const drawn = new WeakMap() // what each box shows: live pages tell often that nothing is new

drawNew()
document.addEventListener('refreshed', drawNew)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => document.querySelectorAll('.curve[data-series]').forEach(draw))

function drawNew() {
  for (const box of document.querySelectorAll('.curve[data-series]')) if (drawn.get(box) !== box.dataset.series) draw(box)
}

function draw(box) {
  drawn.set(box, box.dataset.series)
  const series = JSON.parse(box.dataset.series)
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
  const number = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 5 })
  const axis = { stroke: colour('--tblr-secondary'), grid: { stroke: colour('--tblr-border-color'), width: 1 }, ticks: { show: false } }
  const values = (_, ticks) => ticks.map((tick) => number.format(tick))
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b)
  const rows = series.map(({ points }) => { const at = new Map(points); return xs.map((x) => at.get(x) ?? null) })
  box.replaceChildren()
  const plot = new uPlot({
    width: box.clientWidth,
    height: 240,
    scales: { x: { time: false }, ...('fromZero' in box.dataset && { y: { range: (_, __, most) => [0, most * 1.05 || 1] } }) },
    axes: [{ ...axis, values, label: series[0].x_label, labelSize: 20 }, { ...axis, values, size: 60 }],
    series: [
      { label: series[0].x_label, value: (_, x) => (x == null ? '–' : number.format(x)) },
      ...series.map(({ name }, index) => ({
        label: name,
        stroke: colour(COLOURS[index % COLOURS.length]),
        width: 2,
        points: { show: xs.length < 40 },
        spanGaps: true,
        value: (_, y) => (y == null ? '–' : number.format(y)),
      })),
    ],
  }, [xs, ...rows], box)
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: 240 })).observe(box)
}

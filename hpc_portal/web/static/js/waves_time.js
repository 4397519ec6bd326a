// Times of a waveform: its own ticks, told in the unit that people read, and the marks of an axis.

const UNITS = ['fs', 'ps', 'ns', 'us', 'ms', 's']
const SHOWN = { us: 'µs' }

// Exactly, in the largest unit of which it is at least one: 1999000 ps are 1.999 µs. As time_text in show_waves.py.
export function timeText(ticks, { factor, unit }) {
  if (!UNITS.includes(unit)) return String(ticks)
  let amount = BigInt(Math.round(ticks)) * BigInt(factor)
  let place = UNITS.indexOf(unit)
  let divisor = 1n
  while (amount >= divisor * 1000n && place + 1 < UNITS.length) { place += 1; divisor *= 1000n }
  const rest = String(amount % divisor).padStart(String(divisor).length - 1, '0').replace(/0+$/, '')
  amount /= divisor
  return `${amount}${divisor > 1n && rest ? `.${rest}` : ''} ${SHOWN[UNITS[place]] ?? UNITS[place]}`
}

// Round times between two others, about as many as fit.
export function marks(begin, end, most) {
  const rough = Math.max(1, (end - begin) / Math.max(1, most))
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = Math.max(1, [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= rough))
  const found = []
  for (let time = Math.ceil(begin / step) * step; time <= end; time += step) found.push(time)
  return found
}

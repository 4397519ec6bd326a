// Where a value lies on its axis, from 0 at the bottom to 1 at the top, and back. Pure.

export function scalesOf({ axes, trials }) {
  return axes.map(({ name, log, choices }, at) => {
    const known = trials.map(({ values }) => values[at]).filter((value) => value !== null)
    if (choices.length || known.some((value) => typeof value === 'string')) {
      return { name, log: false, choices: [...new Set([...choices, ...known.map(String)])] }
    }
    const low = Math.min(...known)
    const high = Math.max(...known)
    return { name, log: log && low > 0, choices: [], low: known.length ? low : 0, high: known.length ? high : 1 }
  })
}

export function fractionOf(scale, value) {
  if (value === null || value === undefined) return null
  if (scale.choices.length) {
    const at = scale.choices.indexOf(String(value))
    if (at < 0) return null
    return scale.choices.length === 1 ? 0.5 : at / (scale.choices.length - 1)
  }
  if (scale.low === scale.high) return value === scale.low ? 0.5 : value < scale.low ? -1 : 2
  if (!scale.log) return (value - scale.low) / (scale.high - scale.low)
  return value > 0 ? Math.log(value / scale.low) / Math.log(scale.high / scale.low) : -1
}

export function valueAt(scale, share) {
  if (scale.log) return scale.low * (scale.high / scale.low) ** share
  return scale.low + share * (scale.high - scale.low)
}

// Reads expressions as a list in JSON, and says which are none of PromQL's, by Prometheus' own grammar.
import { readFileSync } from 'node:fs'
import { parser } from '@prometheus-io/lezer-promql'

const strict = parser.configure({ strict: true })
const found = JSON.parse(readFileSync(0, 'utf8')).flatMap((expression) => {
  try {
    strict.parse(expression)
    return []
  } catch (problem) {
    return [`${expression}: ${problem.message}`]
  }
})
process.stdout.write(JSON.stringify(found))

// Holds objects against what their operators publish: the validators of their CRDs, and, as Kubernetes drops fields that
// it does not know without a word, the types as TypeScript checks literals. Objects come in as JSON; findings go out.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const PACKAGES = {
  'gateway.networking.k8s.io': 'gateway-api',
  'keda.sh': 'keda',
  'monitoring.coreos.com': 'prometheus-operator',
  'postgresql.cnpg.io': 'cloudnative-pg',
}

const moduleOf = ({ apiVersion, kind }) =>
  `@kubernetes-models/${PACKAGES[apiVersion.split('/')[0]]}/${apiVersion}/${kind}`

const nameOf = (one) => `${one.kind} ${one.metadata.name}`

async function invalid(one) {
  const { [one.kind]: Model } = await import(moduleOf(one))
  try {
    new Model(one).validate()
    return []
  } catch (problem) {
    return [`${nameOf(one)}: ${problem.message}`]
  }
}

function unknown(objects) {
  const folder = mkdtempSync(join(import.meta.dirname, 'looked-at-'))
  try {
    const files = objects.map((one, index) => {
      const file = join(folder, `${index}.ts`)
      const type = `import('${moduleOf(one)}').I${one.kind}`
      writeFileSync(file, `export const it: ${type} = ${JSON.stringify(one)}\n`)
      return file
    })
    const options = {
      noEmit: true, strict: true, skipLibCheck: true, types: [],
      module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
    }
    return ts.getPreEmitDiagnostics(ts.createProgram(files, options)).map((found) => {
      const one = objects[files.indexOf(found.file?.fileName)]
      return `${one ? nameOf(one) : '?'}: ${ts.flattenDiagnosticMessageText(found.messageText, ' ')}`
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const objects = JSON.parse(readFileSync(0, 'utf8'))
const found = [...(await Promise.all(objects.map(invalid))).flat(), ...unknown(objects)]
process.stdout.write(JSON.stringify(found))

// Fetches the pinned browser assets into hpc_portal/web/static/vendor; run once per upgrade, needs Node and npm.
//
//     node scripts/vendor_assets.mjs
//
// The result is committed: nobody who installs or develops the portal needs Node, unless they use a class of
// Tabler or an icon that no page used before (a test says so).

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

const WEB = join(dirname(fileURLToPath(import.meta.url)), '..', 'hpc_portal', 'web')
const VENDOR = join(WEB, 'static', 'vendor')

const PACKAGES = {
  'htmx.org': { version: '4.0.1', licence: '0BSD', files: { 'htmx.min.js': 'dist/htmx.min.js' } },
  '@tabler/core': { version: '1.6.1', licence: 'MIT', files: { 'tabler.css': 'dist/css/tabler.min.css' } },
  '@tabler/icons': { version: '3.51.0', licence: 'MIT', files: { 'icons.svg': 'icons/outline' } },
  uplot: {
    version: '1.6.32',
    licence: 'MIT',
    files: { 'uplot.min.js': 'dist/uPlot.iife.min.js', 'uplot.css': 'dist/uPlot.min.css' },
  },
}
const PURGECSS = '8.0.0'

const ICONS = [
  'adjustments', 'alarm', 'alert-triangle', 'arrow-down', 'arrow-up', 'arrows-exchange', 'ban', 'bell', 'bolt',
  'brain', 'building', 'calendar', 'chart-bar', 'chart-line', 'check', 'chevron-left', 'chevron-right',
  'circle-check', 'circle-minus', 'circle-x', 'clock', 'code', 'coin', 'copy', 'cpu', 'cpu-2', 'database-off',
  'device-desktop', 'download', 'eye', 'file-text', 'filter', 'flag', 'folder', 'grid-dots', 'hash',
  'help-circle', 'history', 'home', 'hourglass', 'inbox', 'key', 'language', 'list-details', 'lock', 'logout',
  'mail', 'moon', 'player-pause', 'player-play', 'plug-connected', 'plug-connected-x', 'plus', 'receipt-2',
  'receipt-refund', 'refresh', 'repeat', 'rocket', 'scale', 'school', 'search', 'server-2', 'server-bolt',
  'server-off', 'settings', 'shield-check', 'stack-2', 'sun', 'table', 'target', 'terminal-2', 'test-pipe',
  'timeline', 'trash', 'user', 'user-plus', 'users', 'wallet', 'wave-square', 'world', 'x',
]

// Classes that Python or JavaScript composes, which the purge cannot see in a template.
const SAFELIST = {
  standard: [/^bg-.*-lt$/, /^text-(red|green|blue|yellow|orange|azure|secondary|muted)$/, /^status-/],
  greedy: [/data-bs-theme/],
}

const temporary = mkdtempSync(join(tmpdir(), 'vendor-'))
const wanted = Object.entries(PACKAGES).map(([name, { version }]) => `${name}@${version}`)
writeFileSync(join(temporary, 'package.json'), '{"private": true}')
const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--silent']
execFileSync('npm', ['install', ...quiet, ...wanted, `purgecss@${PURGECSS}`], { cwd: temporary, stdio: 'inherit' })

rmSync(VENDOR, { recursive: true, force: true })
mkdirSync(VENDOR, { recursive: true })
const manifest = {}
const notices = []
for (const [name, { version, licence, files }] of Object.entries(PACKAGES)) {
  const root = join(temporary, 'node_modules', name)
  for (const [target, source] of Object.entries(files)) {
    const content = await prepare(target, join(root, source))
    store(target, content)
    manifest[target] = {
      package: name,
      version,
      licence,
      sha384: createHash('sha384').update(content).digest('base64'),
    }
  }
  notices.push(`## ${name} ${version} (${licence})\n\n${licenceText(root)}`)
}
writeFileSync(join(VENDOR, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
writeFileSync(
  join(VENDOR, 'THIRD-PARTY.md'),
  '# Third-party files in this folder\n\nWritten by scripts/vendor_assets.mjs.\n\n' + notices.join('\n\n') + '\n',
)
rmSync(temporary, { recursive: true })

async function prepare(target, source) {
  if (target === 'icons.svg') return Buffer.from(sprite(source))
  if (target === 'tabler.css') return Buffer.from(await purge(source))
  return Buffer.from(readFileSync(source, 'utf8').replace(/\n?\/[/*]# sourceMappingURL=.*$/gm, ''))
}

function sprite(folder) {
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(folder, `${name}.svg`), 'utf8')
    const shapes = svg.slice(svg.indexOf('>') + 1, svg.lastIndexOf('</svg>'))
    const drawn = shapes.replace(/<path stroke="none"[^>]*>/g, '').replace(/\s+/g, ' ').trim()
    return `<symbol id="${name}" viewBox="0 0 24 24">${drawn}</symbol>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('\n')}\n</svg>\n`
}

async function purge(source) {
  const require = createRequire(join(temporary, 'package.json'))
  const { PurgeCSS } = require('purgecss')
  const [{ css }] = await new PurgeCSS().purge({
    content: [`${WEB}/templates/**/*.html`, `${WEB}/static/js/*.js`, `${WEB}/*.py`],
    css: [{ raw: readFileSync(source, 'utf8') }],
    safelist: SAFELIST,
    defaultExtractor: (text) => text.match(/[\w-]+/g) ?? [],
  })
  return css.replace(/\n?\/[/*]# sourceMappingURL=.*$/gm, '')
}

function store(target, content) {
  writeFileSync(join(VENDOR, target), content)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
  writeFileSync(join(VENDOR, `${target}.br`), brotliCompressSync(content, { params }))
}

function licenceText(root) {
  const name = readdirSync(root).find((file) => /^licen[cs]e/i.test(basename(file)))
  if (name) return readFileSync(join(root, name), 'utf8').trim()
  // @tabler/core says MIT in its package.json and in the file's head, but carries no licence file.
  const mit = readFileSync(join(root, '..', 'icons', 'LICENSE'), 'utf8').trim()
  return mit.replace(/Copyright.*/, 'Copyright (c) 2018-2026 The Tabler Authors')
}

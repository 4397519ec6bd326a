// The files in what was dropped or chosen, with their paths: of folders all that is in them.

// To be called while the drop event is handled: afterwards the browser forgets what was dropped.
export function droppedFiles(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === 'file')
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null)
  const plain = items.map((item) => item.getAsFile())
  return Promise.all(entries.map((entry, at) => entry ? filesOf(entry) : [named(plain[at])])).then((found) => found.flat())
}

export function chosenFiles(input) {
  return [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))
}

async function filesOf(entry) {
  const path = entry.fullPath.replace(/^\//, '')
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }]
  const found = []
  for (const inner of await entriesOf(entry)) found.push(...await filesOf(inner))
  return found
}

// A reader gives some entries at a time, and none when that was all.
async function entriesOf(folder) {
  const reader = folder.createReader()
  const found = []
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return found
    found.push(...some)
  }
}

function named(file) {
  return { file, path: file.name }
}

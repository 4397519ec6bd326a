// A batch script that is dropped anywhere on the page is translated; other files belong into fields of their own.

import { say } from './app.js'

const form = document.querySelector('#bring')
const isElsewhere = (event) =>
  event.dataTransfer?.types.includes('Files') && !event.target.closest?.('input[type="file"], [data-stored]')

addEventListener('dragover', (event) => {
  if (!isElsewhere(event)) return
  event.preventDefault()
  document.body.classList.add('is-dropping')
})
for (const name of ['dragend', 'drop']) addEventListener(name, () => document.body.classList.remove('is-dropping'))
addEventListener('dragleave', (event) => event.relatedTarget || document.body.classList.remove('is-dropping'))
addEventListener('drop', async (event) => {
  if (!isElsewhere(event)) return
  event.preventDefault()
  const { files } = event.dataTransfer
  if (files.length !== 1 || await files[0].slice(0, 2).text() !== '#!') return say(form.dataset.noScript)
  form.elements.namedItem('script_file').files = files
  form.requestSubmit()
})

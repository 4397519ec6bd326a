// The submit form: a way out that was chosen sets its controls at once instead of asking the server for the page again.

const form = document.querySelector('#job-form')

form.addEventListener('click', (event) => {
  const button = event.target.closest('button[name="apply"]')
  if (!button) return
  const controls = [...new URLSearchParams(button.value)].map(([name, value]) => [controlOf(name), value])
  if (!controls.every(([control]) => control)) return // the server knows how
  event.preventDefault()
  for (const [control, value] of controls) set(control, value || (control.dataset.made ?? control.defaultValue))
  controls[0][0].focus()
})

function controlOf(name) {
  const found = form.elements.namedItem(name)
  return found instanceof Element ? found : null
}

function set(control, value) {
  control.value = value
  control.dispatchEvent(new Event('change', { bubbles: true }))
}

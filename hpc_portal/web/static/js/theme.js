// Settles the "as the system" theme before the first paint; loaded blocking, so it stays this small.
const root = document.documentElement
root.classList.add('has-js')
if (root.dataset.theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches) root.dataset.bsTheme = 'dark'

// Settles the "as the system" theme before the first paint; loaded blocking and before the styles, so it stays this small.
const root = document.documentElement
if (root.dataset.theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches) root.dataset.bsTheme = 'dark'

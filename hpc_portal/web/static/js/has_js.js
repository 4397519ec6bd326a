// Before the content: what is for readers with scripts only, or without, is shown or hidden from the start.
document.documentElement.classList.add('has-js')

// The drafts of submit forms in this browser, by user, template and project, and when they are over.

const KEPT_DAYS = 30

// Those whose keys begin so; what is too old or no draft is removed.
export function listDrafts(prefix) {
  const found = []
  for (const key of Object.keys(localStorage).filter((one) => one.startsWith(prefix))) {
    const draft = parsed(localStorage.getItem(key))
    if (!draft || Date.now() - draft.at > KEPT_DAYS * 86_400_000) localStorage.removeItem(key)
    else found.push({ ...draft, key, id: key.slice(key.lastIndexOf('/') + 1) })
  }
  return found
}

// A draft that was sent is over when its job is stored; when the session had ended or the portal was away it is not.
export async function forgetStored(drafts) {
  const left = []
  for (const one of drafts) {
    if (one.sent && await isStored(one.sent)) localStorage.removeItem(one.key)
    else left.push(one)
  }
  return left
}

async function isStored(address) {
  const answer = await fetch(address).catch(() => null)
  return answer?.ok ? (await answer.json()).is_stored : false
}

function parsed(text) {
  try {
    const draft = JSON.parse(text)
    return Array.isArray(draft.values) ? draft : null
  } catch {
    return null
  }
}

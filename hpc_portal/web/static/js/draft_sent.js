// A job's first page: a browser that comes from the submit form drops the draft, which is over now.

import { forgetStored, listDrafts } from './drafts.js'

forgetStored(listDrafts('draft/'))

// Forms by Node's fetch and by undici. Arguments: the server's URL, the file to send. Prints the answers as JSON.
import { readFileSync, openAsBlob } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../node/', import.meta.url))
const { FormData: UndiciFormData, fetch: undiciFetch, request } = require('undici')
const [url, file] = process.argv.slice(2)
const found = {}

async function fill (form, blob) {
  form.append('title', 'Q3 "ü"')
  form.append('file', new File([blob], 'ä b.bin', { type: 'application/x-a' }))
  form.append('empty', '')
  form.append('none', new File([], 'none', { type: 'text/plain' }))
  return form
}

const content = readFileSync(file)
found.fetch = await (await fetch(`${url}/upload`, { method: 'POST', body: await fill(new FormData(), content) })).json()
found.blob = await (await fetch(`${url}/upload`, { method: 'POST', body: await fill(new FormData(), await openAsBlob(file)) })).json()
found.undici = await (await undiciFetch(`${url}/upload`, { method: 'POST', body: await fill(new UndiciFormData(), content) })).json()
const answer = await request(`${url}/upload`, { method: 'POST', body: await fill(new UndiciFormData(), content) })
found.request = await answer.body.json()
process.stdout.write(JSON.stringify(found), () => process.exit())

// Uploads by Node's fetch and by undici, as somebody would write them. Arguments: the server's URL, the file to send.
// Prints what came back as JSON.
import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'

const require = createRequire(new URL('../../node/', import.meta.url))
const { Agent, Client, request, fetch: undiciFetch } = require('undici')
const [url, file] = process.argv.slice(2)
const content = readFileSync(file)
const found = {}

function * pieces (size) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size)
}

async function keep (name, response) {
  const headers = Object.fromEntries(response.headers.entries?.() ?? Object.entries(response.headers))
  const text = response.text ? await response.text() : await response.body.text()
  found[name] = { status: response.status ?? response.statusCode, headers, answer: JSON.parse(text) }
}

async function digestOf (response) {
  const hash = createHash('sha256')
  for await (const piece of response.body) hash.update(piece)
  return hash.digest('hex')
}

await keep('fetch-buffer', await fetch(`${url}/files/node/fetch-buffer`, { method: 'PUT', body: content }))
await keep('fetch-blob', await fetch(`${url}/files/node/fetch-blob`, { method: 'PUT', body: new Blob([content], { type: 'image/png' }) }))
await keep('fetch-stream', await fetch(`${url}/files/node/fetch-stream`,
  { method: 'PUT', body: ReadableStream.from(pieces(70_001)), duplex: 'half' }))
await keep('fetch-early-error', await fetch(`${url}/files/node/fetch-buffer`,
  { method: 'PUT', body: ReadableStream.from(pieces(4096)), duplex: 'half', headers: { 'if-none-match': '*' } }))

const agent = new Agent({ connections: 2, pipelining: 4 })
await keep('undici-request', await request(`${url}/files/node/undici-request`,
  { method: 'PUT', body: createReadStream(file), dispatcher: agent }))
await keep('undici-fetch', await undiciFetch(`${url}/files/node/undici-fetch`,
  { method: 'PUT', body: Readable.toWeb(createReadStream(file)), duplex: 'half', dispatcher: agent }))
await keep('undici-buffer', await request(`${url}/files/node/undici-buffer`,
  { method: 'PUT', body: content, headers: { 'content-type': 'text/plain' }, dispatcher: agent }))
await agent.close()

const client = new Client(url, { pipelining: 10 })
const many = await Promise.all(Array.from({ length: 20 }, async (_, number) => {
  const answer = await client.request({ path: `/files/node/many-${number}`, method: 'PUT', body: `number ${number}`, idempotent: true })
  return [answer.statusCode, (await answer.body.json()).key]
}))
found.many = many
await client.close()

found.read = {}
for (const name of ['fetch-buffer', 'fetch-stream', 'undici-request', 'undici-fetch']) {
  found.read[name] = await digestOf(await fetch(`${url}/files/node/${name}`))
}
const part = await fetch(`${url}/files/node/fetch-buffer`, { headers: { range: 'bytes=1000-1999' } })
found.part = { status: part.status, same: Buffer.from(await part.arrayBuffer()).equals(content.subarray(1000, 2000)) }

// an aborted upload must be seen as such
const stop = new AbortController()
async function * endless () {
  for (let number = 0; ; number++) {
    yield content.subarray(0, 10_000)
    if (number === 50) stop.abort()
    await new Promise(resolve => setImmediate(resolve))
  }
}
found.aborted = await fetch(`${url}/files/node/aborted`,
  { method: 'PUT', body: ReadableStream.from(endless()), duplex: 'half', signal: stop.signal }).then(() => 'answered', error => error.name)
process.stdout.write(JSON.stringify(found), () => process.exit())

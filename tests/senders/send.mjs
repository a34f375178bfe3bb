// Forms by Node's clients: send.mjs fetch|undici|form-data|axios URL WORDS (the words are those of
// tests/senders/senders.py).
import { createReadStream, openAsBlob, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename } from 'node:path'

const require = createRequire(new URL('../node/', import.meta.url))
const [client, url, ...words] = process.argv.slice(2)

// FormData as browsers have it.
async function fill (form, parts) {
  for (const [kind, name, value, type] of parts) {
    if (kind === 'field') form.append(name, value)
    else form.append(name, type ? new File([readFileSync(value)], basename(value), { type }) : await openAsBlob(value), basename(value))
  }
  return form
}

async function byFetch (parts) {
  const answer = await fetch(url, { method: 'POST', body: await fill(new FormData(), parts) })
  return [answer.status, await answer.text()]
}

async function byUndici (parts) {
  const { FormData, request } = require('undici')
  const answer = await request(url, { method: 'POST', body: await fill(new FormData(), parts) })
  return [answer.statusCode, await answer.body.text()]
}

async function byAxios (parts) {
  const axios = require('axios')
  const answer = await axios.post(url, await fill(new FormData(), parts), { responseType: 'text', validateStatus: null, transformResponse: text => text })
  return [answer.status, answer.data]
}

// The package that was there before Node had FormData; it takes streams, and sends in chunks where it knows no length.
function byFormData (parts) {
  const FormData = require('form-data')
  const form = new FormData()
  for (const [kind, name, value, type] of parts) {
    if (kind === 'field') form.append(name, value)
    else form.append(name, createReadStream(value), { filename: basename(value), ...(type ? { contentType: type } : {}) })
  }
  return new Promise((resolve, reject) => {
    form.submit(url, (error, answer) => {
      if (error) return reject(error)
      let text = ''
      answer.setEncoding('utf8').on('data', piece => { text += piece }).on('end', () => resolve([answer.statusCode, text])).on('error', reject)
    })
  })
}

function formsOf (words) {
  const forms = []
  while (words.length > 0) {
    const word = words.shift()
    if (word === 'form') forms.push([words.shift(), []])
    else if (word === 'field') forms.at(-1)[1].push([word, ...words.splice(0, 2)])
    else if (word === 'file') forms.at(-1)[1].push([word, ...words.splice(0, 3)])
    else throw new Error(`${word}: no such word`)
  }
  return forms
}

const send = { fetch: byFetch, undici: byUndici, axios: byAxios, 'form-data': byFormData }[client]
console.log(client, client === 'fetch' ? `Node ${process.versions.node}` : require(`${client}/package.json`).version)
for (const [form, parts] of formsOf(words)) {
  const [status, answer] = await send(parts)
  console.log(form, status, answer.trim().replaceAll('\n', ' '))
}

// A form, and a body that is none, too large to be taken: how much of it was asked for when Node's fetch had the answer.
// Arguments: the server's URL, how many bytes. Prints what came back as JSON.
const [url, size] = [process.argv[2], Number(process.argv[3])]
const piece = new Uint8Array(65536)

async function send (type, head) {
  let sent = 0
  async function * pieces () {
    yield new TextEncoder().encode(head)
    for (; sent < size; sent += piece.length) {
      yield piece
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  const answer = await fetch(`${url}/upload`, { method: 'POST', body: ReadableStream.from(pieces()), duplex: 'half', headers: { 'content-type': type } })
  return { status: answer.status, code: (await answer.json()).code, sent }
}

const answers = [
  await send('multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n'),
  await send('text/plain', '')
]
process.stdout.write(JSON.stringify(answers), () => process.exit())

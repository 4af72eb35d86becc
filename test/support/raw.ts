import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** Sends these bytes over a connection of their own, and returns whatever comes until the server closes it. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const socket = await openRaw(url)
  socket.write(bytes)
  return readAll(socket)
}

export async function openRaw(url: string): Promise<Socket> {
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** What comes until the connection is closed. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (data) => (text += data.toString()))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

/** The status line's status and the JSON body of a raw answer. */
export function readAnswer(text: string): { status: number; body: any } {
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body: JSON.parse(body) }
}

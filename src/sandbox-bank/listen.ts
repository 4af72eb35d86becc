import type { Server } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface Address {
  readonly port: number
  readonly host: string
}

const PORT_RETRY_MS = 50

/** Takes the port, asking again while it is taken: for so long, or until the signal. */
export async function listen(
  server: Server,
  { port, host }: Address,
  portWaitMs: number,
  signal: AbortSignal
): Promise<void> {
  const deadline = performance.now() + portWaitMs
  while (!signal.aborted) {
    const failure = await tryListen(server, port, host)
    if (failure === undefined) return
    if (failure.code !== 'EADDRINUSE') throw failure
    if (performance.now() >= deadline) {
      throw new Error(`port ${port} on ${host} is still in use after ${portWaitMs} ms`, { cause: failure })
    }
    await delay(PORT_RETRY_MS)
  }
}

function tryListen(server: Server, port: number, host: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const settle = (failure?: NodeJS.ErrnoException) => {
      server.off('error', settle)
      server.off('listening', settle)
      resolve(failure)
    }
    server.on('error', settle)
    server.on('listening', settle)
    server.listen(port, host)
  })
}

/** Stops listening and destroys every connection. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** Makes the server unreachable for a while, cut short by the signal, after which it stays so. */
export async function goDown(
  server: Server,
  address: Address,
  seconds: number,
  signal: AbortSignal
): Promise<void> {
  await close(server)
  await delay(seconds * 1000, undefined, { signal }).catch(() => undefined)
  await listen(server, address, Infinity, signal)
}

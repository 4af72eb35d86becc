import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen, listenAnywhere } from './ports.ts'

/** `up` is from the caller to the called. */
export type Direction = 'up' | 'down'

export type LineFault =
  /** Nobody listens. */
  | { kind: 'refuse' }
  /** Broken before anything of what is sent next gets through, or before anything of its answer does. */
  | { kind: 'reset'; before: 'request' | 'answer' }
  | { kind: 'delay'; ms: number }
  | { kind: 'drip'; bytes: number; ms: number }
  /** What is sent this way is acknowledged and does not arrive before the line is mended. */
  | { kind: 'hole'; direction: Direction }

/** A TCP connection between two programs that a test can break. */
export interface Line {
  port: number
  /** Where it leads from now on, for new connections. */
  lead: (port: number) => void
  /** Breaks it in this way until it is mended. */
  harm: (fault: LineFault) => Promise<void>
  /** Works again. What fell into a hole arrives late, or is lost with its connection. */
  mend: (options?: { lose?: boolean }) => Promise<void>
  /** Breaks all connections; new ones are let through. */
  cut: () => void
  close: () => Promise<void>
}

interface State {
  target: number
  fault: LineFault | undefined
  mended: PromiseWithResolvers<void>
  sockets: Set<Socket>
}

/** Starts a line to a port of this machine. */
export async function startLine(target = 0): Promise<Line> {
  const state: State = { target, fault: undefined, mended: Promise.withResolvers(), sockets: new Set() }
  const server = createServer((caller) => join(state, caller))
  const port = await listenAnywhere(server)
  const cut = (): void => {
    for (const socket of state.sockets) socket.resetAndDestroy()
  }
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      cut()
      // A reset waits for what is still to be written; whoever closes a line waits for nothing.
      for (const socket of state.sockets) socket.destroy()
    })
  return {
    port,
    lead(port) {
      state.target = port
    },
    async harm(fault) {
      state.fault = fault
      if (fault.kind === 'refuse') await close()
    },
    async mend({ lose = false } = {}) {
      const wasRefusing = state.fault?.kind === 'refuse'
      state.fault = undefined
      if (lose) cut()
      state.mended.resolve()
      state.mended = Promise.withResolvers()
      if (wasRefusing) await listen(server, port)
    },
    cut,
    close
  }
}

function join(state: State, caller: Socket): void {
  const called = connect(state.target, '127.0.0.1')
  for (const [socket, other] of [
    [caller, called],
    [called, caller]
  ] as const) {
    state.sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => other.destroy())
    socket.once('close', () => state.sockets.delete(socket))
  }
  void pump(state, { from: caller, to: called, direction: 'up' })
  void pump(state, { from: called, to: caller, direction: 'down' })
}

interface Way {
  from: Socket
  to: Socket
  direction: Direction
}

/** Passes on piece by piece, at the pace of the slower side, until one of the sides is gone. */
async function pump(state: State, way: Way): Promise<void> {
  try {
    for await (const piece of way.from) await pass(state, way, piece as Buffer)
    way.to.end()
  } catch {
    way.from.destroy()
    way.to.destroy()
  }
}

async function pass(state: State, way: Way, piece: Buffer): Promise<void> {
  const { fault } = state
  switch (fault?.kind) {
    case 'reset':
      if ((fault.before === 'request') !== (way.direction === 'up')) break
      way.from.resetAndDestroy()
      way.to.resetAndDestroy()
      return
    case 'hole':
      if (fault.direction === way.direction) await state.mended.promise
      break
    case 'delay':
      await sleep(fault.ms)
      break
    case 'drip':
      return drip(state, way, piece)
    default:
  }
  await write(way.to, piece)
}

async function drip(state: State, { to }: Way, piece: Buffer): Promise<void> {
  let rest = piece
  while (rest.length > 0) {
    const { fault } = state
    const size = fault?.kind === 'drip' ? fault.bytes : rest.length
    await write(to, rest.subarray(0, size))
    rest = rest.subarray(size)
    if (fault?.kind === 'drip') await sleep(fault.ms)
  }
}

function write(socket: Socket, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(piece, (error) => (error ? reject(error) : resolve()))
  })
}

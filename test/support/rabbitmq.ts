import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect, type ConfirmChannel } from 'amqplib'
import { killAll, processTree, until, type Footprint } from '../e2e/processes.ts'
import { findFreePorts } from './ports.ts'

/** Debian's wrapper in the PATH changes to another user and folder; what it calls runs as whoever calls it. */
const program = ['/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server'].find((file) =>
  path.isAbsolute(file) ? existsSync(file) : spawnSync('which', [file]).status === 0
)

/** Why the tests that need RabbitMQ are skipped, or false. On CI nothing is skipped: there it has to be installed. */
export const skipWithoutRabbitmq = program === undefined && 'rabbitmq-server is not installed'
if (skipWithoutRabbitmq !== false && process.env['CI'] === 'true') throw new Error(skipWithoutRabbitmq)

export interface RabbitmqNode {
  port: number
  url: string
  /** Starts it again after kill(). */
  start: () => Promise<void>
  /** As by kill -9. */
  kill: () => Promise<void>
  /** Forgets every queue and message; only while it does not run. */
  wipe: () => void
  /** Ends all that runs and removes its folder. */
  remove: () => Promise<void>
}

/** A RabbitMQ of this test file's own: own folder, ports and epmd. A guard removes it if this process is killed. */
export async function startRabbitmq(): Promise<RabbitmqNode> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-rabbitmq-'))
  const [port = 0, distributionPort = 0, epmdPort = 0] = await findFreePorts(3)
  const footprint: Footprint = { folder, dataDir: folder, started: [] }
  const guard = startGuard()
  const env = environment(folder, { port, distributionPort, epmdPort })

  function launch(file: string, args: string[]): number {
    const child = spawn(file, args, { env, cwd: folder, detached: true, stdio: 'ignore' })
    child.unref()
    if (child.pid === undefined) throw new Error(`${file} can't be started`)
    footprint.started.push(child.pid)
    guard.tell(footprint)
    return child.pid
  }

  let broker: number | undefined
  const node: RabbitmqNode = {
    port,
    url: `amqp://127.0.0.1:${port}`,
    async start() {
      broker = launch(program ?? '', [])
      await until('RabbitMQ answers', () => answers(node.url))
    },
    kill: () => killAll(processTree(broker === undefined ? [] : [broker])),
    wipe: () => rmSync(path.join(folder, 'mnesia'), { recursive: true }),
    async remove() {
      await killAll(processTree(footprint.started))
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
      guard.end()
    }
  }
  try {
    // RabbitMQ would start one that outlives it.
    launch('epmd', ['-port', `${epmdPort}`, '-address', '127.0.0.1'])
    await node.start()
    return node
  } catch (error) {
    await node.remove()
    throw error
  }
}

function environment(folder: string, ports: { port: number; distributionPort: number; epmdPort: number }) {
  return {
    PATH: process.env['PATH'],
    HOME: folder,
    ERL_EPMD_PORT: `${ports.epmdPort}`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `bulkhead-${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${ports.port}`,
    RABBITMQ_DIST_PORT: `${ports.distributionPort}`,
    RABBITMQ_MNESIA_BASE: path.join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: path.join(folder, 'log'),
    // None of these files exists, so nothing of the machine's own RabbitMQ is read.
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: path.join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: path.join(folder, 'rabbitmq')
  }
}

function startGuard() {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../e2e/guard.ts')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return {
    tell: (footprint: Footprint) => child.stdin.write(`${JSON.stringify(footprint)}\n`),
    end: () => child.kill()
  }
}

function answers(url: string): Promise<boolean> {
  return withChannel(url, () => Promise.resolve(true)).catch(() => false)
}

/** Does something beside the broker under test, on a connection of its own. */
export async function withChannel<T>(url: string, act: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const model = await connect(url, { timeout: 5_000 })
  model.on('error', () => undefined)
  try {
    return await act(await model.createConfirmChannel())
  } finally {
    await model.close()
  }
}

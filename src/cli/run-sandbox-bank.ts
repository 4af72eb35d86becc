import { fork, type ChildProcess } from 'node:child_process'
import path from 'node:path'
import type { Log } from '../telemetry/log.ts'
import type { BankMessage, BankOrder } from './sandbox-bank.ts'
import type { OpenedServer } from './open-database.ts'
import { environmentWith } from './load-settings.ts'
import { UsageError } from './usage-error.ts'

const main = path.join(import.meta.dirname, '../main.ts')

export interface RunningSandboxBank extends OpenedServer {
  /** Where it tells late results and returns from now on; what came before waits for this. */
  tellResultsTo: (url: string) => void
}

/**
 * Starts the sandbox bank in a process of its own and starts it again if it dies. It lives no longer than this
 * process: it notices the closed channel even when this one is killed.
 */
export async function runSandboxBank(
  log: Log,
  settings: Record<string, string>
): Promise<RunningSandboxBank> {
  let stopping = false
  let resultsUrl: string | undefined
  let child: ChildProcess

  async function launch(): Promise<string> {
    child = fork(main, ['sandbox-bank'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: environmentWith(settings)
    })
    const url = await firstMessage(child)
    passOn()
    child.once('exit', (code, signal) => {
      if (stopping) return
      log.error({ code, signal }, 'the sandbox bank has ended; starting it again')
      relaunch()
    })
    return url
  }

  function passOn(): void {
    if (resultsUrl !== undefined && child.connected)
      child.send({ type: 'tell-results', url: resultsUrl } satisfies BankOrder)
  }

  function relaunch(): void {
    launch().catch((error: unknown) => {
      if (stopping) return
      log.error({ err: error }, 'the sandbox bank does not start again; trying on')
      setTimeout(relaunch, 1_000)
    })
  }

  const url = await launch()
  return {
    url,
    tellResultsTo(to) {
      resultsUrl = to
      passOn()
    },
    async stop() {
      stopping = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      // A bank that hangs, or is frozen, has lost nothing: what it has answered is in its log.
      const kill = setTimeout(() => child.kill('SIGKILL'), 2_000)
      await ended
      clearTimeout(kill)
    }
  }
}

function firstMessage(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) =>
      reject(new UsageError(`The sandbox bank ended with code ${code}.`))
    child.once('exit', onExit)
    child.once('message', (message: BankMessage) => {
      child.off('exit', onExit)
      if (message.type === 'ready') resolve(message.url)
      else reject(new UsageError(`The sandbox bank does not start: ${message.message}`))
    })
  })
}

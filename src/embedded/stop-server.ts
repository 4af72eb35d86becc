import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Runner } from './choose-runner.ts'
import type { ClusterFolder } from './cluster-folder.ts'
import { EmbeddedPostgresError } from './embedded-error.ts'
import type { RunningServer } from './find-running-server.ts'
import { processIdentity } from './process-identity.ts'

const stoppedWithinMs = 60_000

/** Ends all sessions, writes everything to disk, and returns when the server's process is gone. */
export async function stopServer(
  server: RunningServer,
  runner: Runner,
  folder: ClusterFolder
): Promise<void> {
  const alive = (): boolean =>
    server.identity !== undefined && processIdentity(server.pid) === server.identity
  if (!alive()) return
  if (process.platform === 'win32') {
    // Windows has no signals; pg_ctl knows the server's own substitute.
    const pgCtl = join(runner.native, 'bin', 'pg_ctl')
    await promisify(execFile)(pgCtl, ['stop', '-D', folder.cluster, '-m', 'fast', '-w'])
    return
  }
  process.kill(server.pid, 'SIGINT')
  const deadline = Date.now() + stoppedWithinMs
  while (alive()) {
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        'stop-failed',
        `PostgreSQL (process ${server.pid}) in ${folder.cluster} is still stopping after ` +
          `${stoppedWithinMs / 1000} seconds. It will finish by itself; ${folder.log} tells more.`
      )
    }
    await pause(10)
  }
}

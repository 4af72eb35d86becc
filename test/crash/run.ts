import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSandboxBank } from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { launch, makePlace, type Place, type Program } from '../e2e/program.ts'
import { isAlive, until } from '../e2e/processes.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { startLine, type Line } from '../support/line.ts'
import { askOnce, createStubbornClient, type StubbornClient } from '../support/stubborn-client.ts'
import { isInOrder, resolveByOperator } from './heal.ts'
import { newStory, runSteps, type Story } from './workload.ts'

/** A test, or the hooks of a file. */
export type Scope = Parameters<typeof makePlace>[0]

/** One installation for one run: a database, a bank, and the program, started again whenever it was killed. */
export interface Installation {
  place: Place
  database: TestDatabase
  bankUrl: string
  client: StubbornClient
  story: Story
  /** All that were started, the last one last. */
  programs: Program[]
  start: (settings?: Record<string, string>) => Program
  /** How often the first program has reached each point so far. */
  reached: () => Map<string, number>
}

const program = path.join(import.meta.dirname, 'program.ts')

const settings = {
  PORT: '0',
  // The shortest lease and many small claims: what was claimed by the dead is not waited for long.
  LEASE_MS: '1000',
  POLL_MS: '100',
  WORKER_LANES: '2',
  CHUNK_SIZE: '5',
  DATABASE_CONNECTIONS: '4',
  LOG_LEVEL: 'warn',
  // Longer than a third of the lease, so that a worker renews it while the bank is silent.
  BANK_TIMEOUT_MS: '500',
  // What the bank refuses, after a crash may have sent it before, is failed after this. Longer than a payment lies unread
  // at a bank that has too little of the processor: it took 3 s to accept a connection beside four other programs.
  BANK_SETTLEMENT_WINDOW_MS: '10000',
  BANK_CALLBACK_SECRET: 'what only the bank knows',
  RECONCILE_EVERY_MS: '300',
  SWEEP_EVERY_MS: '500',
  AUDIT_EVERY_MS: '1000'
}

export async function makeInstallation(scope: Scope): Promise<Installation> {
  const place = await makePlace(scope, settings)
  const database = await createTestDatabase()
  // The API has another port after each start; the bank is told one.
  const toApi = await startLine()
  const bank = await startSandboxBank({
    port: 0,
    logFile: path.join(place.folder, 'bank.jsonl'),
    callback: {
      url: `http://127.0.0.1:${toApi.port}/bank/notices`,
      secret: settings.BANK_CALLBACK_SECRET
    }
  })
  scope.after(async () => {
    await bank.stop()
    await toApi.close()
  })
  Object.assign(place.environment, {
    DATABASE_URL: database.url,
    BANK_URL: bank.url
  })
  const programs: Program[] = []
  const pointsFile = (nth: number) => path.join(place.folder, `points-${nth}.txt`)
  return {
    place,
    database,
    bankUrl: bank.url,
    client: createStubbornClient(() => findUrl(programs, toApi)),
    story: newStory(),
    programs,
    start(settings = {}) {
      const POINTS_FILE = pointsFile(programs.length)
      const started = launch(place, {
        command: [process.execPath, program],
        settings: { ...settings, POINTS_FILE }
      })
      programs.push(started)
      return started
    },
    reached: () => countLines(pointsFile(0))
  }
}

/** Where the program that was started last says that its API is, if it lives; the bank calls there, too. */
function findUrl(programs: Program[], toApi: Line): string | undefined {
  const last = programs.at(-1)
  if (last === undefined || !isAlive(last.pid)) return undefined
  const url = /Bulkhead is ready at (\S+)/.exec(last.stderr())?.[1]
  if (url !== undefined) toApi.lead(Number(new URL(url).port))
  return url
}

function countLines(file: string): Map<string, number> {
  const counts = new Map<string, number>()
  if (!existsSync(file)) return counts
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1))
    counts.set(line, (counts.get(line) ?? 0) + 1)
  return counts
}

/** Has the client do everything and the bank's time pass, until all that was accepted has ended as it has to. */
export async function workOff(installation: Installation): Promise<void> {
  const { client, story, bankUrl } = installation
  await runSteps(client, story)
  await until('everything has ended', async () => {
    await sleep(100) // the program is to work, not to answer
    await askOnce(`${bankUrl}/clock/advance`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ seconds: 5 })
    })
    await resolveByOperator(installation)
    return isInOrder(installation)
  })
}

/** Starts the program, and again whenever it has killed itself, for as long as the work goes on; tells how often it had. */
export async function keepRunning(
  installation: Installation,
  places: string[],
  work: Promise<void>
): Promise<number> {
  for (let killed = 0; ; killed++) {
    const program = installation.start({ CRASH_AT: places[killed] ?? '' })
    const end = await Promise.race([program.exit, work])
    if (end === undefined) return killed
    const { code, signal } = end
    assert.equal(signal, 'SIGKILL', `it ended with code ${code}: ${program.stderr()}${program.stdout()}`)
    // Housekeeping that a dead process had taken waits for five minutes; they are over.
    await installation.database.sql(`update job set due_at = now() where due_at > now()`)
  }
}

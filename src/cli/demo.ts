import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { z } from 'zod'
import { findEmbeddedPostgres } from '../embedded/start-postgres.ts'
import { problemSchema } from '../http/problem-answer.ts'
import * as schemas from '../http/schemas.ts'
import { demoOrganization } from '../organizations/demo-organization.ts'
import type { Settings } from '../settings.ts'
import { maxTransfers } from '../transfers/bulk-request.ts'
import { printVerdict } from '../verification/print-verdict.ts'
import { loadSettings } from './load-settings.ts'
import { makePayroll, seededRandom } from './payroll.ts'
import { groupDigits, openProgressDisplay, type Progress } from './progress-bar.ts'
import { UsageError } from './usage-error.ts'
import { runVerification } from './verify.ts'

const pollMs = 100
/** Longest silence: an answer later than this counts as none, and a bulk in which nothing moves is given up. */
const patienceMs = 60_000
const mostErrorsTold = 10
/** Always the same payroll, so that figures can be compared from run to run and from machine to machine. */
const seed = 2026

/** Ends the demo with a message and exit code 1. */
class DemoFailure extends Error {}

/** Pays a payroll of `count` on the running server, shows its progress, and sets the exit code to 0 if all was paid. */
export async function demo(count: number): Promise<void> {
  if (!Number.isInteger(count) || count < 1 || count > maxTransfers)
    throw new UsageError(`--count has to be a whole number from 1 to ${maxTransfers}.`)
  const settings = loadSettings()
  const { HOST, PORT, DATA_DIR } = settings
  const base = `http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${PORT}`
  try {
    await checkReady(base)
    const result = await pay(base, { count, dataDir: DATA_DIR })
    tellResult(base, result)
    tellAccount('after', await readAccount(base))
    const clean = await proveInvariants(settings)
    process.exitCode = clean && result.executed.count === result.total.count ? 0 : 1
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}

const readiness = z.object({
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), details: z.string() }))
})

async function checkReady(base: string): Promise<void> {
  const { checks } = expectAnswer(base, await call(base, '/health/ready', readiness))
  const down = checks.filter(({ ok }) => !ok).map(({ name, details }) => `The ${name} ${details}.`)
  if (checks.some(({ name, ok }) => name === 'database' && !ok))
    throw new DemoFailure(`The server at ${base} is not ready. ${down.join(' ')}`)
  down.forEach(tell)
}

/** Submits the payroll and watches it until it is final. */
async function pay(base: string, options: { count: number; dataDir: string }): Promise<Progress> {
  const payroll = makePayroll({
    request_id: randomUUID(),
    count: options.count,
    today: new Date(),
    random: seededRandom(seed)
  })
  tell(`${payroll.label}: ${options.count} transfers, ${groupDigits(payroll.control_sum)} EUR`)
  tell(`Paid by ${demoOrganization.name} from ${payroll.organization_iban}`)
  tellAccount('before', await readAccount(base))
  const body = JSON.stringify(payroll)
  const sentAt = performance.now()
  const submitted = await call(base, '/transfers/bulk', schemas.acceptance, body)
  if (submitted.outcome === 'refused' && submitted.problem.error.reason === 'insufficient-account-balance')
    throw new DemoFailure(
      `${describeProblem(submitted.problem)}\nThe demo has used up its account. Stop the server, remove the data folder to begin again (${options.dataDir}), and start it: npm start`
    )
  const { bulk_id } = expectAnswer(base, submitted)
  const acceptedAt = performance.now()
  tell(
    `Accepted in ${Math.round(acceptedAt - sentAt)} ms: all checked, the money reserved.\nBulk ${bulk_id}\n`
  )
  return watch(base, bulk_id, acceptedAt)
}

/** Polls until the bulk is final. A server that is away for a while, or restarted, is waited for. */
async function watch(base: string, bulkId: string, acceptedAt: number): Promise<Progress> {
  const statusPath = `/transfers/bulk/${bulkId}/status`
  const display = openProgressDisplay(process.stdout, process.env)
  let last: Progress | undefined
  let movedAt = acceptedAt
  for (;;) {
    const answer = await call(base, statusPath, schemas.bulkStatus)
    const now = performance.now()
    if (answer.outcome === 'ok') {
      if (last === undefined && answer.body.held) tell(describeHold(base, bulkId))
      if (JSON.stringify(answer.body) !== JSON.stringify(last)) movedAt = now
      last = answer.body
    }
    const note =
      describeSilence(base, answer) ??
      (last?.held ? 'Held: nothing more is sent until it is released.' : undefined)
    if (last) display.show(last, now - acceptedAt, note)
    if (last?.final) return last
    if (now - movedAt > patienceMs)
      throw new DemoFailure(
        `Nothing has moved for ${patienceMs / 1000} s, so the demo stops watching. ${describeStandstill(base, last, answer)} The bulk goes on by itself; look again: curl ${base}${statusPath}`
      )
    await sleep(pollMs)
  }
}

function describeSilence(base: string, answer: Answer<unknown>): string | undefined {
  if (answer.outcome === 'ok') return undefined
  if (answer.outcome === 'unreachable') return 'The server does not answer; waiting for it.'
  return describeNoAnswer(base, answer).split('\n').join(' ')
}

/** A bulk that is held waits for a person. */
function describeHold(base: string, bulkId: string): string {
  return `It is held, and nothing more of it is sent. If its payees are to be confirmed, do so: curl -X POST ${base}/transfers/bulk/${bulkId}/release. Otherwise an operator holds it: npm run bulkhead -- hold list`
}

function describeStandstill(base: string, last: Progress | undefined, answer: Answer<unknown>): string {
  const silence = describeSilence(base, answer)
  if (silence !== undefined) return silence
  if (last?.held) return `${describeHold(base, last.bulk_id)}.`
  return last?.needs_attention
    ? `Of ${last.unknown.count} transfers the outcome is unknown until the bank tells; their money stays reserved.`
    : 'See the log of the server: the bank may not answer, the workers are paused, or an operator holds the bank.'
}

function tellResult(base: string, result: Progress): void {
  const { executed, failed, unknown, cancelled, currency, total } = result
  const took_ms = Date.parse(result.completed_at ?? result.accepted_at) - Date.parse(result.accepted_at)
  const pace =
    took_ms > 0 ? `, ${groupDigits(Math.round((total.count * 1000) / took_ms).toString())} transfers/s` : ''
  tell(`\n${result.status} ${(took_ms / 1000).toFixed(2)} s after it was accepted${pace}`)
  const rows = { executed, failed, unknown, ...(cancelled.count > 0 ? { cancelled } : {}) }
  for (const [label, { count, amount }] of Object.entries(rows))
    tell(
      `  ${label.padEnd(10)}${count.toString().padStart(5)}   ${groupDigits(amount).padStart(12)} ${currency}`
    )
  const transfers = `${base}/transfers/bulk/${result.bulk_id}/transfers`
  if (failed.count > 0) tell(`What failed, and why: curl '${transfers}?status=FAILED'`)
  tell(`Every transfer: curl ${transfers}`)
  tell(`API docs: ${base}/docs`)
}

async function readAccount(base: string) {
  const { iban } = demoOrganization.accounts[1]
  return expectAnswer(base, await call(base, `/accounts/${iban}`, schemas.account))
}

function tellAccount(when: 'before' | 'after', account: z.infer<typeof schemas.account>): void {
  const [balance, reserved, available] = [account.balance, account.reserved, account.available].map(
    groupDigits
  )
  tell(`Balance ${when} ${balance}, reserved ${reserved}, available ${available} ${account.currency}`)
}

/** Lets the checker prove the invariants; false if one is broken. A server whose data is elsewhere can't be checked. */
async function proveInvariants(settings: Settings): Promise<boolean> {
  tell('')
  try {
    await requireSameData(settings)
    const verification = await runVerification(settings)
    printVerdict(verification)
    return verification.violations.length === 0
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    tell(`Not verified. ${error.message} Prove it with the settings of the server: npm run verify`)
    return true
  }
}

/** The server runs, so its database does too: one that is at rest is another's, and its verdict would prove nothing. */
async function requireSameData({ DATABASE_URL, DATA_DIR }: Settings): Promise<void> {
  if (DATABASE_URL !== undefined) return
  if ((await findEmbeddedPostgres(path.resolve(DATA_DIR, 'postgresql'))) === null)
    throw new UsageError(`The server does not keep its data in ${DATA_DIR}.`)
}

type ApiProblem = z.infer<typeof problemSchema>
type NoAnswer =
  | { outcome: 'unreachable' }
  | { outcome: 'refused'; problem: ApiProblem }
  | { outcome: 'strange'; status: number }
type Answer<T> = { outcome: 'ok'; body: T } | NoAnswer

/** One call of the API: POST if there is a body. */
async function call<T extends z.ZodType>(
  base: string,
  path: string,
  answer: T,
  body?: string
): Promise<Answer<z.infer<T>>> {
  let status: number
  let text: string
  try {
    const response = await request(`${base}${path}`, {
      ...(body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
      headersTimeout: patienceMs,
      bodyTimeout: patienceMs
    })
    status = response.statusCode
    text = await response.body.text()
  } catch {
    return { outcome: 'unreachable' }
  }
  const json = parseJson(text)
  const parsed = answer.safeParse(json)
  if (parsed.success) return { outcome: 'ok', body: parsed.data }
  const problem = problemSchema.safeParse(json)
  return problem.success ? { outcome: 'refused', problem: problem.data } : { outcome: 'strange', status }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function expectAnswer<T>(base: string, answer: Answer<T>): T {
  if (answer.outcome === 'ok') return answer.body
  throw new DemoFailure(describeNoAnswer(base, answer))
}

function describeNoAnswer(base: string, answer: NoAnswer): string {
  switch (answer.outcome) {
    case 'unreachable':
      return `Nothing answers at ${base}. Start it first: npm start`
    case 'strange':
      return `What answers at ${base} does not speak like this version of Bulkhead (HTTP ${answer.status}). Set PORT to Bulkhead's.`
    case 'refused':
      return describeProblem(answer.problem)
  }
}

function describeProblem({ status, detail, errors, errors_total, trace_id }: ApiProblem): string {
  const told = errors.slice(0, mostErrorsTold)
  return [
    `Refused (HTTP ${status}): ${detail}`,
    ...told.map((error) => `  ${error.pointer}: ${error.detail}`),
    ...(errors_total > told.length ? [`  and ${errors_total - told.length} more`] : []),
    `  trace_id ${trace_id}`
  ].join('\n')
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

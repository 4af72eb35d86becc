import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  startSandboxBank,
  type SandboxBank,
  type SandboxBankOptions
} from '../../src/sandbox-bank/start-sandbox-bank.ts'
import { scenarios } from '../../src/sandbox-bank/scenarios.ts'

export interface Reply {
  readonly status: number
  readonly body: unknown
}

export interface Page {
  readonly count: number
  readonly total_amount: string
  readonly payments: { reference: string }[]
  readonly has_more: boolean
  readonly next_cursor: string | null
}

export function newLogFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-sandbox-bank-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'log', 'payments.jsonl')
}

export async function startBank(
  t: TestContext,
  options: Partial<SandboxBankOptions> = {}
): Promise<SandboxBank> {
  const bank = await startSandboxBank({ port: 0, logFile: options.logFile ?? newLogFile(t), ...options })
  t.after(() => bank.stop())
  return bank
}

/** A bank in a child process; `limitBlocks` makes the system refuse to let its files grow beyond that. */
export async function spawnBank(
  t: TestContext,
  logFile: string,
  limitBlocks?: number
): Promise<{ child: ChildProcess; url: string }> {
  const command = [process.execPath, join(import.meta.dirname, 'run-bank.ts'), logFile]
  const limited = ['sh', '-c', `ulimit -f ${limitBlocks ?? 0}; exec "$@"`, 'sh', ...command]
  const [program = '', ...args] = limitBlocks === undefined ? command : limited
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  t.after(() => child.kill('SIGKILL'))
  const [url] = (await once(child, 'message')) as [string]
  return { child, url }
}

export function order(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    reference: 'payment-1',
    amount: '100.00',
    currency: 'EUR',
    debtor_iban: 'FR10474608000002006107XXXXX',
    counterparty_name: 'Bip Bip',
    counterparty_bic: 'CRLYFRPPTOU',
    counterparty_iban: 'EE383680981021245685',
    description: 'Wonderland/4410',
    ...changes
  }
}

export function ibanOf(name: string): string {
  const scenario = scenarios.find(({ scenario }) => scenario === name)
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`)
  return scenario.counterparty_iban
}

/** An order to the payee of a scenario. */
export function orderTo(name: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return order({ counterparty_iban: ibanOf(name), ...changes })
}

/** How a post ends for a client with so much patience: 'silence', 'cut off', or its status and what it says. */
export async function tryPost(url: string, body: unknown, waitMs: number): Promise<string> {
  const init = { method: 'POST', body: JSON.stringify(body), redirect: 'manual' } as const
  try {
    const response = await fetch(`${url}/payments`, { ...init, signal: AbortSignal.timeout(waitMs) })
    const text = await response.text()
    if (response.headers.get('content-type') === 'text/html') return `${response.status} HTML`
    return describeReply({ status: response.status, body: JSON.parse(text) })
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError' ? 'silence' : 'cut off'
  }
}

export function describeReply({ status, body }: Reply): string {
  const { status: paymentStatus, reason } = body as { status?: string; reason?: string }
  return `${status} ${paymentStatus ?? reason}`
}

export function advance(url: string, seconds: unknown): Promise<Reply> {
  return ask(`${url}/clock/advance`, { method: 'POST', body: JSON.stringify({ seconds }) })
}

export function post(url: string, body: unknown): Promise<Reply> {
  return ask(`${url}/payments`, { method: 'POST', body: JSON.stringify(body) })
}

export async function ask(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init)
  return { status: response.status, body: await response.json() }
}

export async function list(url: string, query = ''): Promise<Page> {
  return (await ask(`${url}/payments${query}`)).body as Page
}

/** Posts one order per reference, `width` at a time. */
export async function postAll(url: string, orders: unknown[], width = 32): Promise<Reply[]> {
  const replies: Reply[] = []
  const queue = orders.entries()
  const work = async () => {
    for (const [index, body] of queue) replies[index] = await post(url, body)
  }
  await Promise.all(Array.from({ length: width }, work))
  return replies
}

export function orders(count: number, prefix: string, changes: Record<string, unknown> = {}): unknown[] {
  return Array.from({ length: count }, (_, index) => order({ ...changes, reference: `${prefix}-${index}` }))
}

export function referencesInLog(logFile: string): string[] {
  const lines = readFileSync(logFile, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => (JSON.parse(line) as { order: { reference: string } }).order.reference)
}

import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { createHttpBank } from '../src/banking/http-bank.ts'
import { startEmbeddedPostgres } from '../src/embedded/start-postgres.ts'
import { createHttpBankLog } from '../src/verification/http-bank-log.ts'
import { verify, type BankLog } from '../src/verification/verify.ts'
import { aTransfer } from '../test/support/builders.ts'
import { perTransfer, readCounters } from './counters.ts'
import { bareAccept, barePay, bareSettle, prepare } from './floor.ts'
import { createInstantBank, logOf } from './instant-bank.ts'
import { measureMemory } from './memory.ts'
import { benchSettings, bulkText, size, startSystem, timed, type System } from './system.ts'
import { printTable, type Row } from './table.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15)
const folder = mkdtempSync(path.join(tmpdir(), 'bulkhead-bench-'))
const rows: Row[] = []
const say = (text: string): void => void process.stderr.write(`${text}\n`)

say(
  `load average at the start: ${loadavg()
    .map((load) => load.toFixed(2))
    .join(' ')}`
)
const postgres = await startEmbeddedPostgres({ directory: path.join(folder, 'postgresql') })
try {
  await measureOwnCost()
  await withBank('http', measureWithHttpBank)
  await withBank('memory', async (bankUrl) => {
    rows.push(...(await measureMemory({ databaseServer: postgres.url, bankUrl, say })))
  })
  printTable(rows)
} finally {
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

/** With a bank that costs nothing: accepting alone, then end to end; each round beside its floor. */
async function measureOwnCost(): Promise<void> {
  const bank = createInstantBank()
  const system = await startSystem(postgres.url, bank)
  const floorSystem = await startSystem(postgres.url, bank)
  const accept = { floor: [] as number[], ours: [] as number[] }
  const settle: number[] = []
  const whole = { floor: [] as number[], ours: [] as number[] }
  for (let round = -5; round < rounds; round++) {
    say(`own cost, round ${round + 1} of ${rounds}`)
    const accepted = await acceptSideBySide(system, floorSystem)
    const settled = await timed(() => bareSettle(floorSystem.owner, floorSystem.organizationId))
    await system.work([])
    const floor = await wholeFloor(floorSystem)
    const ours = await system.work(Array.from({ length: 5 }, bulkText))
    if (round < 0) continue
    accept.floor.push(...accepted.floor)
    accept.ours.push(...accepted.ours)
    settle.push(settled / 5)
    whole.floor.push(floor / 5)
    whole.ours.push(ours / 5)
  }
  rows.push({ what: 'accept 1000 over HTTP', ...accept, budget: { kind: 'at most', ratio: 1.6 } })
  rows.push({ what: 'settle 1000, bare SQL', ours: settle, floor: null, budget: null })
  rows.push({ what: 'end to end, in-process bank', ...whole, budget: { kind: 'speed', ratio: 0.5 } })
  rows.push(...(await countOwnCost(system)))
  rows.push(await verdict(system, { payments: () => logOf(bank) }))
  await floorSystem.stop()
  await system.stop()
}

/** Five bulks by the bare statement and five over HTTP, in turns; they are settled later. */
async function acceptSideBySide(
  system: System,
  floorSystem: System
): Promise<{ floor: number[]; ours: number[] }> {
  const times = { floor: [] as number[], ours: [] as number[] }
  for (let turn = 0; turn < 5; turn++) {
    const bulk = prepare(JSON.parse(bulkText()))
    times.floor.push(await timed(() => bareAccept(floorSystem.owner, floorSystem.organizationId, bulk)))
    const text = bulkText()
    times.ours.push(await timed(() => system.post(text)))
  }
  return times
}

async function wholeFloor({ owner, organizationId }: System): Promise<number> {
  const bulks = Array.from({ length: 5 }, () => prepare(JSON.parse(bulkText())))
  return timed(async () => {
    for (const bulk of bulks) await bareAccept(owner, organizationId, bulk)
    await bareSettle(owner, organizationId)
  })
}

/** What bulks cost in things that can be counted, end to end; so many that chance (which lane claims how much) evens out. */
async function countOwnCost(system: System): Promise<Row[]> {
  const count = 25
  const bodies = Array.from({ length: count }, bulkText)
  await system.sql('checkpoint')
  const before = await readCounters(system)
  const statementsBefore = system.context.db.statementCount
  await system.work(bodies)
  const statements = (system.context.db.statementCount - statementsBefore) / count
  const counters = perTransfer(before, await readCounters(system), count * size)
  return [
    { what: 'fsync per transfer', value: counters.fsyncs.toFixed(4), limit: '<= 0.03' },
    { what: 'WAL bytes per transfer', value: counters.wal_bytes.toFixed(0), limit: '<= 1100' },
    { what: 'dead tuples per transfer', value: counters.dead_tuples.toFixed(4), limit: '<= 0.05' },
    {
      what: 'SQL statements per bulk of 1000',
      value: statements.toFixed(1),
      limit: '<= 45'
    }
  ]
}

/** With the sandbox bank in a process of its own, beside a bare client that pays as many at the same bank. */
async function measureWithHttpBank(bankUrl: string): Promise<void> {
  const { BANK_CONNECTIONS: connections, BANK_TIMEOUT_MS: timeout_ms } = benchSettings()
  const bank = createHttpBank({ url: bankUrl, connections, timeout_ms })
  const system = await startSystem(postgres.url, bank)
  const times = { floor: [] as number[], ours: [] as number[] }
  for (let round = -2; round < rounds; round++) {
    say(`HTTP bank, round ${round + 1} of ${rounds}`)
    const payments = Array.from({ length: 3 * size }, payment)
    const floor = await timed(() => barePay(bankUrl, payments, connections))
    const ours = await system.work(Array.from({ length: 3 }, bulkText))
    if (round < 0) continue
    times.floor.push(floor / 3)
    times.ours.push(ours / 3)
  }
  rows.push({ what: 'end to end, HTTP bank', ...times, budget: { kind: 'speed', ratio: 0.6 } })
  rows.push(await verdict(system, createHttpBankLog(bankUrl)))
  await system.stop()
  await bank.close()
}

async function verdict(system: System, log: BankLog): Promise<Row> {
  const { violations, checked } = await verify(system.context.db, log, { foreignReferences: 'ignore' })
  const found = violations.length === 0 ? 'clean' : `${violations.length} violations`
  // A fast run that loses a cent is a failed run.
  if (violations.length > 0) process.exitCode = 1
  return { what: `checker, ${checked.transfers} transfers`, value: found, limit: 'clean' }
}

function payment(): string {
  const { amount, currency, counterparty_name, counterparty_bic, counterparty_iban, description } =
    aTransfer()
  const debtor_iban = 'FR10474608000002006107XXXXX'
  const reference = `floor-${randomUUID()}`
  return JSON.stringify({
    reference,
    amount,
    currency,
    debtor_iban,
    counterparty_name,
    counterparty_bic,
    counterparty_iban,
    description
  })
}

/** A bank of its own for each part: the program would find payments of another part on its statement. */
async function withBank(name: string, measure: (bankUrl: string) => Promise<void>): Promise<void> {
  const bank = fork(path.join(import.meta.dirname, '../src/main.ts'), ['sandbox-bank'], {
    env: { ...process.env, DATA_DIR: path.join(folder, name), SANDBOX_BANK_PORT: '0' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc']
  })
  try {
    await measure(await readyUrl(bank))
  } finally {
    bank.kill('SIGTERM')
  }
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the sandbox bank did not start')))
    child.once('message', (message: { url: string }) => resolve(message.url))
  })
}

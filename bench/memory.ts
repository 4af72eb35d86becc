import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { Pool } from 'undici'
import { createHttpBank } from '../src/banking/http-bank.ts'
import { bulkText, startSystem } from './system.ts'
import type { Row } from './table.ts'

/**
 * Memory of the real program, API and worker in one process, while it pays 100 bulks of 1000 one after the other.
 */
export async function measureMemory(where: {
  databaseServer: string
  bankUrl: string
  say: (text: string) => void
}): Promise<Row[]> {
  // Only for its database with a rich organization; the program that is measured is a process of its own.
  const bank = createHttpBank({ url: where.bankUrl, connections: 1, timeout_ms: 1_000 })
  const system = await startSystem(where.databaseServer, bank)
  const port = await freePort()
  const main = path.join(import.meta.dirname, '../src/main.ts')
  const program = spawn(process.execPath, [main, 'start'], {
    env: {
      ...process.env,
      PORT: String(port),
      DATABASE_URL: system.url,
      BANK_URL: where.bankUrl,
      LOG_LEVEL: 'warn'
    },
    stdio: ['ignore', 'inherit', 'pipe']
  })
  await once(program.stderr, 'data')
  const client = new Pool(`http://127.0.0.1:${port}`)
  const seen: number[] = []
  for (let bulk = 1; bulk <= 100; bulk++) {
    if (bulk % 20 === 0) where.say(`memory, bulk ${bulk} of 100`)
    const headers = { 'content-type': 'application/json' }
    const answer = await client.request({
      method: 'POST',
      path: '/transfers/bulk',
      headers,
      body: bulkText()
    })
    await answer.body.text()
    if (answer.statusCode !== 201) throw new Error(`not accepted: ${answer.statusCode}`)
    await final(system)
    if (bulk === 20 || bulk === 60 || bulk === 100) seen.push(memoryMb(program.pid ?? 0, 'VmRSS'))
  }
  const peak = memoryMb(program.pid ?? 0, 'VmHWM')
  await client.close()
  program.kill('SIGTERM')
  await once(program, 'exit')
  await system.stop()
  await bank.close()
  return [
    {
      what: 'RSS MB after 20, 60, 100 bulks',
      value: seen.map((mb) => mb.toFixed(0)).join(', '),
      limit: 'flat'
    },
    { what: 'peak RSS MB, api and worker', value: peak.toFixed(0), limit: '<= 250' }
  ]
}

async function final(system: Awaited<ReturnType<typeof startSystem>>): Promise<void> {
  for (;;) {
    const [open] = await system.sql<{ open: boolean }>(
      'select exists (select from chunk where due_at is not null) as open'
    )
    if (open?.open === false) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kilobytes] =
    new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

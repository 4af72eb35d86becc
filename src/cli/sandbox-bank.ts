import path from 'node:path'
import { startSandboxBank, type SandboxBankOptions } from '../sandbox-bank/start-sandbox-bank.ts'
import type { Settings } from '../settings.ts'
import { loadSettings } from './load-settings.ts'

export type BankMessage = { type: 'ready'; url: string } | { type: 'failed'; message: string }
/** What the process that started it tells it. */
export type BankOrder = { type: 'tell-results'; url: string }

/** Runs the sandbox bank as a process of its own, until it is told to stop or the process that started it is gone. */
export async function sandboxBank(): Promise<void> {
  const settings = loadSettings()
  try {
    const bank = await startSandboxBank({
      port: settings.SANDBOX_BANK_PORT,
      logFile: bankLogFile(settings),
      latencyMs: settings.SANDBOX_BANK_LATENCY_MS,
      ...callback(settings)
    })
    const stop = () => void bank.stop().then(() => process.exit(0))
    process.once('SIGTERM', stop)
    process.once('disconnect', stop)
    process.on('message', ({ url }: BankOrder) => bank.tellResultsTo(url))
    // Ctrl-C reaches the whole group; the parent finishes its work with the bank first and then stops it.
    if (process.connected) process.on('SIGINT', () => undefined)
    else process.once('SIGINT', stop)
    process.send?.({ type: 'ready', url: bank.url } satisfies BankMessage)
    if (!process.connected) process.stderr.write(`Sandbox bank at ${bank.url}\n`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (!process.connected) throw error
    process.send?.({ type: 'failed', message } satisfies BankMessage, () => process.exit(1))
  }
}

// readSettings refuses a URL without a secret. Whoever started this process may tell the URL later.
function callback(settings: Settings): Pick<SandboxBankOptions, 'callback'> {
  const { SANDBOX_BANK_CALLBACK_URL: url, BANK_CALLBACK_SECRET: secret } = settings
  if (secret === undefined || (url === undefined && !process.connected)) return {}
  return { callback: { secret, ...(url === undefined ? {} : { url }) } }
}

/** Where the sandbox bank keeps its log. */
export function bankLogFile(settings: Settings): string {
  return path.resolve(settings.DATA_DIR, 'sandbox-bank', 'payments.jsonl')
}

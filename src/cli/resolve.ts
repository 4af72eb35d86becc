import { reasonCodes } from '../domain/reason-code.ts'
import { parseTransferId } from '../domain/reference.ts'
import { resolveTransfer } from '../execution/notices.ts'
import { createLog } from '../telemetry/log.ts'
import { loadSettings } from './load-settings.ts'
import { makeContext, closeContext } from './make-context.ts'
import { borrowDatabase } from './open-database.ts'
import { UsageError } from './usage-error.ts'

export interface ResolveOptions {
  status: string
  reason?: string
  operator: string
  evidence: string
}

/** Ends a transfer by the word of a person, who says who they are and how they know. */
export async function resolveCommand(transferId: string, options: ResolveOptions): Promise<void> {
  const id = parseTransferId(transferId)
  const word = readWord(options)
  if (id === null) throw new UsageError(`${transferId} is no transfer_id; GET the transfer to see it.`)
  const settings = loadSettings()
  const tell = (message: string): void => void process.stderr.write(`${message}\n`)
  const server = await borrowDatabase(settings, tell)
  const context = makeContext(settings, createLog(settings.LOG_LEVEL), {
    databaseUrl: server.url,
    bankUrl: settings.BANK_URL ?? 'http://127.0.0.1:1'
  })
  try {
    const resolution = await resolveTransfer(context, id, word)
    if (resolution.outcome === 'not-open')
      throw new UsageError(
        `${transferId} is not UNKNOWN or SENT, or has been resolved before, or does not exist: nothing was changed.`
      )
    tell(
      `Recorded: ${transferId} is ${word.status}, says ${word.operator}. A worker books it within seconds.`
    )
  } finally {
    await closeContext(context)
    await server.stop()
  }
}

function readWord(options: ResolveOptions) {
  const { status, reason, operator, evidence } = options
  const errors: string[] = []
  if (status !== 'EXECUTED' && status !== 'FAILED') errors.push('--status has to be EXECUTED or FAILED.')
  if (status === 'FAILED' && (reason === undefined || !Object.hasOwn(reasonCodes, reason)))
    errors.push(`--reason has to be one of ${Object.keys(reasonCodes).join(', ')}.`)
  if (operator.trim() === '') errors.push('--operator has to say who decides.')
  if (evidence.trim().length < 10)
    errors.push(
      "--evidence has to say how it is known, such as the bank's letter or the line of its statement."
    )
  if (errors.length > 0) throw new UsageError(errors.join('\n'))
  return { status: status as 'EXECUTED' | 'FAILED', reason_code: reason ?? null, operator, evidence }
}

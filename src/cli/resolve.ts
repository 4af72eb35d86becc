import { reasonCodes } from '../domain/reason-code.ts'
import { parseTransferId } from '../domain/reference.ts'
import { resolveTransfer } from '../execution/notices.ts'
import { resolveIncident } from '../incidents/incidents.ts'
import { UsageError } from './usage-error.ts'
import { withDatabase } from './with-database.ts'

/** As they are given: what is missing is told with all else that is wrong. */
interface ResolveOptions extends Partial<Word> {
  status?: string
  reason?: string
}

interface Word {
  operator: string
  evidence: string
}

/** Ends a transfer by the word of a person, who says who they are and how they know. */
export async function resolveCommand(transferId: string, options: ResolveOptions): Promise<void> {
  const id = parseTransferId(transferId)
  const word = readWord(options)
  if (id === null) throw new UsageError(`${transferId} is no transfer_id; GET the transfer to see it.`)
  await withDatabase(async (context) => {
    const resolution = await resolveTransfer(context, id, word)
    if (resolution.outcome === 'not-open')
      throw new UsageError(
        `${transferId} is not UNKNOWN or SENT, or has been resolved before, or does not exist: nothing was changed.`
      )
  })
  tell(`Recorded: ${transferId} is ${word.status}, says ${word.operator}. A worker books it within seconds.`)
}

/** Ends an incident that does not end by itself, once a person has looked into it. */
export async function resolveIncidentCommand(
  incidentNo: string,
  { operator = '', evidence = '' }: Partial<Word>
): Promise<void> {
  const errors = [
    ...(/^[1-9]\d{0,15}$/.test(incidentNo)
      ? []
      : [`${incidentNo} is no incident_no; the command incidents lists them.`]),
    ...findPersonErrors({ operator, evidence })
  ]
  if (errors.length > 0) throw new UsageError(errors.join('\n'))
  await withDatabase(async ({ db }) => {
    const resolution = `${operator}: ${evidence}`
    const word = { incident_no: BigInt(incidentNo), actor: `operator:${operator}`, resolution }
    const [incident] = await resolveIncident(db, word)
    if (!incident) throw new UsageError(`Incident ${incidentNo} is not open: nothing was changed.`)
    tell(`Ended: ${incident.kind}, ${incident.subject}.`)
  })
}

function tell(message: string): void {
  process.stderr.write(`${message}\n`)
}

function readWord(options: ResolveOptions) {
  const { status, reason, operator = '', evidence = '' } = options
  const errors: string[] = []
  if (status !== 'EXECUTED' && status !== 'FAILED') errors.push('--status has to be EXECUTED or FAILED.')
  if (status === 'FAILED' && (reason === undefined || !Object.hasOwn(reasonCodes, reason)))
    errors.push(`--reason has to be one of ${Object.keys(reasonCodes).join(', ')}.`)
  if (status === 'EXECUTED' && reason !== undefined) errors.push('--reason is of a failure only.')
  errors.push(...findPersonErrors({ operator, evidence }))
  if (errors.length > 0) throw new UsageError(errors.join('\n'))
  return { status: status as 'EXECUTED' | 'FAILED', reason_code: reason ?? null, operator, evidence }
}

function findPersonErrors({ operator, evidence }: Word): string[] {
  const errors: string[] = []
  if (operator.trim() === '') errors.push('--operator has to say who decides.')
  if (evidence.trim().length < 10)
    errors.push(
      "--evidence has to say how it is known, in 10 characters or more: such as the bank's letter or the line of its statement."
    )
  return errors
}

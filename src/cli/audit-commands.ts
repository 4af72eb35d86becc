import { createReadStream } from 'node:fs'
import { type Command, Option } from 'commander'
import type { Database } from '../database/database.ts'
import { pagesOfAudit } from '../events/audit-log.ts'
import { followChain, parseRecord, startOfChain, type Chain } from '../events/check-audit.ts'
import { operatorsLog } from '../events/record-act.ts'
import { listOrganizations } from '../organizations/organizations.ts'
import { print, readWholeNumber, requireOrganization } from './options.ts'
import { UsageError } from './usage-error.ts'
import { withDatabase } from './with-database.ts'

/** Adds the commands that export the audit log and prove that nobody changed it. */
export function addAuditCommands(command: Command): void {
  command
    .command('export')
    .description('print an audit log as JSON lines')
    .addOption(new Option('--organization <number>', 'of this organization').argParser(readWholeNumber))
    .addOption(operatorOption())
    .action((log: Log) =>
      withDatabase(async ({ db }) => {
        const organization_id = await requireLog(db, log)
        if (organization_id === null)
          throw new UsageError('Say whose log: either --organization or --operator.')
        for await (const page of pagesOfAudit(db, { organization_id, after: 0n })) page.forEach(print)
      })
    )
  command
    .command('verify')
    .description('find what was altered, removed, put in between or put in another order')
    .addOption(new Option('--organization <number>', 'of one only').argParser(readWholeNumber))
    .addOption(operatorOption())
    .addOption(
      new Option('--file <file>', 'an export, instead of the database').conflicts([
        'organization',
        'operator'
      ])
    )
    .action(verifyAudit)
}

/** Whose log: an organization's, or the operators'. */
interface Log {
  organization?: number
  operator?: boolean
}

const operatorOption = () =>
  new Option('--operator', "the operators' own: what is about no organization").conflicts('organization')

/** The number that a log is kept under, or null if it was not said which. */
async function requireLog(db: Database, { organization, operator }: Log): Promise<number | null> {
  if (operator === true) return operatorsLog
  if (organization === undefined) return null
  await requireOrganization(db, organization)
  return organization
}

async function verifyAudit({ file, ...log }: Log & { file?: string }): Promise<void> {
  if (file !== undefined) tell(file, await verifyAuditFile(file))
  else await verifyDatabase(log)
}

function verifyDatabase(log: Log): Promise<void> {
  return withDatabase(async ({ db }) => {
    const one = await requireLog(db, log)
    for (const id of one === null ? await listLogs(db) : [one])
      tell(id === operatorsLog ? 'operators' : `organization ${id}`, await verifyAuditLog(db, id))
  })
}

async function listLogs(db: Database): Promise<number[]> {
  const organizations = await listOrganizations(db, { after: 0, limit: 2_147_483_646 })
  return [operatorsLog, ...organizations.map(({ organization_id }) => organization_id)]
}

type Verdict = { chain: Chain } | { position: number; fault: string }

function tell(subject: string, verdict: Verdict): void {
  if ('fault' in verdict) {
    process.stdout.write(`${subject}: BROKEN at position ${verdict.position}: ${verdict.fault}\n`)
    process.exitCode = 1
    return
  }
  const { position, hash } = verdict.chain
  process.stdout.write(`${subject}: ${position} records in order${hash === '' ? '' : `, the last ${hash}`}\n`)
}

/** Follows the chain of an organization in the database up to its end, or to the first record that breaks it. */
export async function verifyAuditLog(db: Database, organizationId: number): Promise<Verdict> {
  let chain = startOfChain
  for await (const page of pagesOfAudit(db, { organization_id: organizationId, after: 0n }))
    for (const record of page) {
      const next = followChain(chain, record)
      if ('fault' in next) return { position: record.position, fault: next.fault }
      chain = next
    }
  return { chain }
}

/** The same of an export that begins with the first record. */
export async function verifyAuditFile(file: string): Promise<Verdict> {
  let chain = startOfChain
  try {
    for await (const line of readLines(file)) {
      const record = parseRecord(line)
      if (record === null) return { position: chain.position + 1, fault: 'this line is no record' }
      const next = followChain(chain, record)
      if ('fault' in next) return { position: record.position, fault: next.fault }
      chain = next
    }
  } catch (error) {
    throw new UsageError(`${file} can't be read.`, { cause: error })
  }
  return { chain }
}

/** Ends lines at line feeds only: node:readline also does at U+2028, which JSON may have in its texts. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
